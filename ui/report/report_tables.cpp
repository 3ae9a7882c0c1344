// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/report_tables.h"

#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"
#include "ui/report/html.h"

namespace quantscope::ui {

using storage::CampaignSummary;
using storage::Percentiles;
using storage::RunSummary;

namespace {

const QString none = QStringLiteral("–");

QString known(const QString& text) {
    return text.isEmpty() ? QStringLiteral("not recorded") : text;
}

QStringList nameCells(const CampaignSummary& summary, const RunSummary& run) {
    const QString name = schemeName(run.run);
    return {isBaseline(summary, run.run.id) ? name + QStringLiteral(" (baseline)") : name,
            QString::number(run.run.batchSize)};
}

QStringList percentileCells(const Percentiles& latency) {
    if (latency.count == 0)
        return {none, none};
    return {formatNumber(latency.p50), p99Text(latency)};
}

QString ratioText(std::optional<double> ratio) {
    return ratio ? QString::number(*ratio, 'f', 2) : none;
}

} // namespace

QString environmentTable(const CampaignSummary& summary) {
    const auto& campaign = summary.campaign;
    const auto& spec = campaign.spec;
    QString device = known(campaign.deviceName);
    if (!campaign.deviceDetail.isEmpty())
        device += QStringLiteral(", ") + campaign.deviceDetail;
    QList<QStringList> rows{
        {QStringLiteral("Campaign"),
         QStringLiteral("%1, made %2, %3")
             .arg(known(spec.name), formatDateTime(campaign.createdAt), statusWord(campaign.status))},
        {QStringLiteral("Model"), usesDemoModel(spec) ? modelName(spec) : spec.model},
        {QStringLiteral("Model hash"), known(campaign.modelHash)},
        {QStringLiteral("Problems"), usesDemoProblems(spec) ? problemsName(spec) : spec.problems},
        {QStringLiteral("Problems hash"), known(campaign.problemsHash)},
        {QStringLiteral("Device"), device},
        {QStringLiteral("Host"), known(campaign.hostDetail)},
        {QStringLiteral("Backend"), spec.backend},
        {QStringLiteral("Launched by"),
         spec.launcher.isEmpty() ? QStringLiteral("this machine") : spec.launcher.join(u' ')},
        {QStringLiteral("Versions"),
         QStringLiteral("Quantscope %1, engine %2")
             .arg(known(campaign.quantscopeVersion), known(campaign.workerVersion))},
        {QStringLiteral("Budget"),
         hasLimits(spec.budget) ? QStringLiteral("%1: %2").arg(spec.budget.name, budgetLimits(spec.budget))
                                : QStringLiteral("none")},
    };
    return html::table(QStringLiteral("What was run, where and with which versions."),
                       {QStringLiteral("What"), QStringLiteral("Value")}, rows, 2);
}

QString accuracyTable(const CampaignSummary& summary) {
    QList<QStringList> rows;
    for (const RunSummary& run : summary.runs) {
        QStringList cells = nameCells(summary, run);
        cells += {QStringLiteral("%1 of %2").arg(run.samplesPassed).arg(run.samplesScored),
                  run.samplesScored > 0 ? formatPercent(run.passAt1) : none,
                  run.samplesScored > 0 ? formatInterval(run.passAt1Interval) : none,
                  QString::number(run.samplesTimedOut)};
        QStringList others;
        for (auto it = run.passAtK.begin(); it != run.passAtK.end(); ++it)
            if (it.key() != 1)
                others += QStringLiteral("@%1 %2").arg(QString::number(it.key()), formatPercent(it.value()));
        cells += {others.isEmpty() ? none : others.join(QStringLiteral(", ")),
                  statusWord(overallStatus(run.run, summary.campaign.spec))};
        rows += cells;
    }
    const QString what = usesDemoProblems(summary.campaign.spec)
                             ? QStringLiteral("pass@1 on the demo problems (not HumanEval).")
                             : QStringLiteral("pass@1 on %1.").arg(problemsName(summary.campaign.spec));
    return html::table(what,
                       {QStringLiteral("Scheme"), QStringLiteral("Batch"), QStringLiteral("Passed"),
                        QStringLiteral("pass@1"), QStringLiteral("Wilson 95 %"), QStringLiteral("Timed out"),
                        QStringLiteral("pass@k"), QStringLiteral("Status")},
                       rows, 1);
}

QString latencyTable(const CampaignSummary& summary) {
    const bool energy = anyEnergy(summary);
    QList<QStringList> rows;
    for (const RunSummary& run : summary.runs) {
        const auto rate = tokensPerSecond(run);
        QStringList cells = nameCells(summary, run);
        cells += run.ttftMs.count > 0
                     ? QStringLiteral("%1 in %2").arg(run.ttftMs.count).arg(run.ttftMs.rounds)
                     : none;
        cells += percentileCells(run.ttftMs) + percentileCells(run.tpotMs) + percentileCells(run.e2eMs);
        cells += rate ? formatNumber(*rate) : none;
        if (energy) {
            const auto joules = energyPerToken(run);
            cells += joules ? formatNumber(*joules) : none;
        }
        const QString budget = budgetWord(run.budget);
        cells += budget.isEmpty() ? none : budget;
        rows += cells;
    }
    QString caption = QStringLiteral(
        "Latency in ms: p50 and p99 of the timed requests, in brackets the 95 % limits of p99 (– "
        "where there are too few rounds, whose requests share their steps); throughput of all "
        "slots together.");
    QStringList header{
        QStringLiteral("Scheme"),   QStringLiteral("Batch"),       QStringLiteral("Requests in rounds"),
        QStringLiteral("TTFT p50"), QStringLiteral("TTFT p99"),    QStringLiteral("TPOT p50"),
        QStringLiteral("TPOT p99"), QStringLiteral("Request p50"), QStringLiteral("Request p99"),
        QStringLiteral("Tokens/s")};
    if (energy) {
        caption += QStringLiteral(" Energy: joules of the device a token of output, prompts included.");
        header += QStringLiteral("J/token");
    }
    header += QStringLiteral("Budget");
    return html::table(caption, header, rows, 1);
}

QString memoryTable(const CampaignSummary& summary) {
    QList<QStringList> rows;
    for (const RunSummary& run : summary.runs)
        if (const auto memory = memoryParts(run)) {
            const auto bytes = bytesPerWeight(run);
            rows += nameCells(summary, run) +
                    QStringList{formatBytes(memory->weights), formatBytes(memory->kvCache),
                                formatBytes(memory->workspace), formatBytes(memory->total()),
                                bytes ? QString::number(*bytes, 'f', 3) : none};
        }
    if (rows.isEmpty())
        return {};
    return html::table(
        QStringLiteral("Memory by part. Bytes per weight: of the quantized linears, scales included."),
        {QStringLiteral("Scheme"), QStringLiteral("Batch"), QStringLiteral("Weights"),
         QStringLiteral("KV cache"), QStringLiteral("Workspace"), QStringLiteral("Together"),
         QStringLiteral("Bytes per weight")},
        rows, 1);
}

QString comparisonTable(const CampaignSummary& summary) {
    QList<QStringList> rows;
    for (const RunSummary& run : summary.runs) {
        if (!run.comparison)
            continue;
        const auto& comparison = *run.comparison;
        const RunSummary* baseline = findRun(summary, comparison.baselineRunId);
        QStringList pass{none, none, none, none, none};
        if (passComparison(run) != nullptr)
            pass = {formatPoints(comparison.passDelta), formatPointsInterval(comparison.passDeltaInterval),
                    formatP(comparison.p), formatP(comparison.pHolm),
                    QStringLiteral("−%1 / +%2")
                        .arg(comparison.lostTasks.size())
                        .arg(comparison.gainedTasks.size())};
        rows +=
            nameCells(summary, run) +
            QStringList{baseline != nullptr ? runName(baseline->run) : none, verdictSentence(comparison)} +
            pass + QStringList{ratioText(comparison.tpotRatio), ratioText(comparison.memoryRatio)};
    }
    if (rows.isEmpty())
        return html::paragraph(QStringLiteral("No run can be compared with a baseline yet."));
    return html::table(
        QStringLiteral(
            "Each run against its baseline, problem by problem, on the problems that both have scored. "
            "Interval, p (Holm) and verdict are one method and hold over all the comparisons; batch sizes "
            "with the same verdicts are one. Ratios are the run's over its baseline's."),
        {QStringLiteral("Scheme"), QStringLiteral("Batch"), QStringLiteral("Against"),
         QStringLiteral("Verdict"), QStringLiteral("Δ points"), QStringLiteral("95 % interval"),
         QStringLiteral("p"), QStringLiteral("p (Holm)"), QStringLiteral("Lost / gained"),
         QStringLiteral("TPOT ×"), QStringLiteral("Memory ×")},
        rows, 4);
}

QString flippedTasks(const CampaignSummary& summary) {
    QString content;
    for (const RunSummary& run : summary.runs) {
        if (!run.comparison || (run.comparison->lostTasks.isEmpty() && run.comparison->gainedTasks.isEmpty()))
            continue;
        const auto list = [](const QStringList& tasks) {
            return tasks.isEmpty() ? QStringLiteral("none") : tasks.join(QStringLiteral(", "));
        };
        content += QStringLiteral("<details><summary>") +
                   html::escaped(QStringLiteral("%1: %2 lost, %3 gained")
                                     .arg(runName(run.run), QString::number(run.comparison->lostTasks.size()),
                                          QString::number(run.comparison->gainedTasks.size()))) +
                   QStringLiteral("</summary>\n") +
                   html::paragraph(QStringLiteral("Lost: %1").arg(list(run.comparison->lostTasks))) +
                   html::paragraph(QStringLiteral("Gained: %1").arg(list(run.comparison->gainedTasks))) +
                   QStringLiteral("</details>\n");
    }
    return content;
}

} // namespace quantscope::ui
