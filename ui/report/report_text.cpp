// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/report_text.h"

#include "ui/charts/trade_off_model.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <algorithm>

namespace quantscope::ui {

using storage::CampaignSummary;
using storage::RunSummary;

namespace {

QStringList schemeLabels(const CampaignSummary& summary) {
    QStringList labels;
    for (const QString& id : schemeOrder(summary))
        labels += schemeLabel(summary, id);
    return labels;
}

QString batchWords(const CampaignSummary& summary) {
    QStringList sizes;
    for (const int size : batchOrder(summary))
        sizes += QString::number(size);
    return joinWords(sizes);
}

QString countOf(int count, const QString& one, const QString& many) {
    return QStringLiteral("%1 %2").arg(count).arg(count == 1 ? one : many);
}

int problemCount(const CampaignSummary& summary) {
    int most = 0;
    for (const RunSummary& run : summary.runs)
        most = std::max(most, run.problemsTotal);
    return most;
}

/// "INT8 passes 71.3 % (64.0 to 77.7 %), -0.6 points to the baseline: not distinguishable on these problems".
QString resultSentence(const RunSummary& run) {
    QString text =
        QStringLiteral("%1 passes %2 (95 % interval %3)")
            .arg(runName(run.run), formatPercent(run.passAt1), formatInterval(run.passAt1Interval));
    if (const auto* comparison = passComparison(run))
        text +=
            QStringLiteral(", %1 points to the baseline (%2, p = %3 after Holm): %4")
                .arg(formatPoints(comparison->passDelta), formatPointsInterval(comparison->passDeltaInterval),
                     formatP(comparison->pHolm).replace(QStringLiteral("< "), QStringLiteral("<")),
                     verdictSentence(*comparison));
    if (run.tpotMs.count > 0)
        text += QStringLiteral("; TPOT p50 %1").arg(formatMs(run.tpotMs.p50));
    if (run.comparison && run.comparison->tpotRatio)
        text += QStringLiteral(" (%1 times the baseline's)")
                    .arg(QString::number(*run.comparison->tpotRatio, 'f', 2));
    return text + u'.';
}

/// How the prompts were given: what the first run that says so says, as it is the same for all.
std::optional<PromptForm> promptFormOf(const CampaignSummary& summary) {
    for (const RunSummary& run : summary.runs)
        if (const auto form = promptForm(run))
            return form;
    return std::nullopt;
}

QString promptText(const CampaignSummary& summary) {
    const auto form = promptFormOf(summary);
    if (!form)
        return QStringLiteral("The prompt is kept as it is in the file");
    return QStringLiteral("%1, with which %2 of %3 prompts end where a token of prompt and solution ends")
        .arg(form->stripped ? QStringLiteral("The prompt goes without the white space at its end")
                            : QStringLiteral("The prompt is kept as it is in the file"))
        .arg(form->kept)
        .arg(form->problems);
}

QString samplingText(const CampaignSummary& summary) {
    const auto& sampling = summary.campaign.spec.sampling;
    const QString how =
        sampling.temperature == 0.0
            ? QStringLiteral("greedily")
            : QStringLiteral("at temperature %1 and top-p %2, seed %3 for each problem and sample")
                  .arg(sampling.temperature)
                  .arg(sampling.topP)
                  .arg(sampling.seed);
    return QStringLiteral(
               "Completions are drawn %1, %2, at most %3 new tokens. %4; a completion ends at the usual "
               "HumanEval stop sequences, at end of sequence or at the limit, "
               "and is "
               "taken as the decoded whole minus the prompt. Each runs in a sandbox (bubblewrap: no "
               "network, no home, limits on time, memory and processes), its problem's tests in another, and "
               "passes only when the check has returned. A problem whose canonical solution does not pass "
               "there is not scored.")
        .arg(how,
             countOf(sampling.samplesPerProblem, QStringLiteral("sample a problem"),
                     QStringLiteral("samples a problem")),
             QString::number(sampling.maxNewTokens), promptText(summary));
}

QString latencyText(const storage::LatencySettings& latency) {
    return QStringLiteral(
               "Latency is measured apart from pass@1: prompts of %1 tokens, %2 output tokens, %3 after one "
               "warm-up, the schemes taking turns so that drift hits all alike. TTFT is the time to the "
               "first "
               "token, TPOT a request's mean time per output token after it. Percentiles come from the "
               "stored "
               "requests, never from means.")
        .arg(latency.promptTokens)
        .arg(latency.outputTokens)
        .arg(countOf(latency.requests, QStringLiteral("timed round"), QStringLiteral("timed rounds")));
}

QString statisticsText() {
    return QStringLiteral(
        "Every pass@1 carries its Wilson 95 % interval. Runs are compared with the baseline problem by "
        "problem, on the problems that both have scored: by the exact McNemar test and the interval of the "
        "difference that belongs to it (Fay and Lumbard 2021), or, where several samples of a problem "
        "disagree, by Student's t of the problems' differences. Holm's correction is over the campaign's "
        "comparisons: batch sizes of one scheme with the same verdicts are one, and where fewer than six "
        "problems flipped, so that no test could call it a difference, a comparison stands alone. The "
        "interval "
        "is at Holm's level, and the verdict is read off it: better, worse, equivalent within a margin "
        "stated "
        "before, or not distinguishable on these problems.");
}

} // namespace

QString demoWarning() {
    return QStringLiteral(
        "Demo, not HumanEval: these problems ship with Quantscope to show how it works. Their pass@1 says "
        "nothing about HumanEval, and the demo model is no Llama-2-7B.");
}

QString reportTitle(const CampaignSummary& summary) {
    const auto& spec = summary.campaign.spec;
    const QString problems =
        usesDemoProblems(spec) ? QStringLiteral("demo problems, not HumanEval") : problemsName(spec);
    return QStringLiteral("%1 on %2: what quantization costs and buys").arg(modelName(spec), problems);
}

QString abstractText(const CampaignSummary& summary) {
    const auto& spec = summary.campaign.spec;
    const QString problems =
        usesDemoProblems(spec)
            ? QStringLiteral("%1 demo problems (not HumanEval)").arg(problemCount(summary))
            : QStringLiteral("%1 of %2")
                  .arg(countOf(problemCount(summary), QStringLiteral("problem"), QStringLiteral("problems")),
                       problemsName(spec));
    const QString& device = summary.campaign.deviceName;
    QString text = QStringLiteral("We compare %1 on %2 at batch %3, on %4, on %5. ")
                       .arg(joinWords(schemeLabels(summary)),
                            usesDemoModel(spec) ? QStringLiteral("the demo model") : modelName(spec),
                            batchWords(summary), problems,
                            device.isEmpty() ? QStringLiteral("a device that was not named") : device);
    if (!summary.headline.isEmpty())
        text += summary.headline + u' ';
    for (const RunSummary& run : summary.runs)
        if (run.samplesScored > 0 && !batchOrder(summary).isEmpty() &&
            run.run.batchSize == batchOrder(summary).first())
            text += resultSentence(run) + u' ';
    if (usesDemoProblems(spec))
        text += QStringLiteral("This is a demo, not HumanEval.");
    return text.trimmed();
}

QString questionText(const CampaignSummary& summary) {
    const QString budget = budgetLimits(summary.campaign.spec.budget);
    const QString problems = usesDemoProblems(summary.campaign.spec)
                                 ? QStringLiteral("pass@1 on the demo problems (not HumanEval)")
                                 : QStringLiteral("pass@1 on %1").arg(problemsName(summary.campaign.spec));
    QString text =
        QStringLiteral(
            "What does each scheme cost in %1 against the baseline, and what does it buy in latency and "
            "memory")
            .arg(problems);
    text += budget.isEmpty() ? QStringLiteral("? No real-time budget was set.")
                             : QStringLiteral(", inside a real-time budget of %1?").arg(budget);
    return text;
}

QStringList methodText(const CampaignSummary& summary) {
    const auto& spec = summary.campaign.spec;
    QStringList paragraphs;
    if (spec.evalEnabled)
        paragraphs += samplingText(summary);
    if (spec.latency.enabled)
        paragraphs += latencyText(spec.latency);
    paragraphs += QStringLiteral(
        "Weights are stored and activations quantized in the scheme's own bits; integer products "
        "accumulate in 32 bits. Nothing is quantized and then computed in floating point to stand in "
        "for it.");
    return paragraphs + QStringList{statisticsText()};
}

QStringList limitationsText(const CampaignSummary& summary) {
    QStringList limits;
    if (usesDemoProblems(summary.campaign.spec))
        limits += demoWarning();
    const int problems = problemCount(summary);
    if (problems > 0)
        limits +=
            QStringLiteral(
                "With %1, one problem is %2 points: differences of a few points are within what chance does.")
                .arg(countOf(problems, QStringLiteral("problem"), QStringLiteral("problems")),
                     QString::number(100.0 / problems, 'f', 2));
    if (summary.campaign.spec.limit > 0)
        limits += QStringLiteral("Only the first %1 were run, which need not be like the rest.")
                      .arg(countOf(summary.campaign.spec.limit, QStringLiteral("problem"),
                                   QStringLiteral("problems")));
    if (const auto form = promptFormOf(summary); form && form->keepsFewerThanHalf())
        limits += QStringLiteral("Warning: only %1 of %2 prompts end where a token of prompt and solution "
                                 "ends: the model is prompted off its own tokens, and pass@1 is far too low.")
                      .arg(form->kept)
                      .arg(form->problems);
    for (const RunSummary& run : summary.runs) {
        if (!run.run.error.isEmpty())
            limits += QStringLiteral("%1 failed: %2").arg(runName(run.run), run.run.error);
        else if (run.partial)
            limits +=
                QStringLiteral("%1 is partial: %2 stored of %3.")
                    .arg(runName(run.run),
                         countOf(run.samplesStored, QStringLiteral("sample is"),
                                 QStringLiteral("samples are")),
                         countOf(run.problemsTotal, QStringLiteral("problem"), QStringLiteral("problems")));
        if (run.samplesStored > run.samplesScored)
            limits +=
                QStringLiteral("%1 has %2 without a verdict; they are left out of its pass@1.")
                    .arg(runName(run.run), countOf(run.samplesStored - run.samplesScored,
                                                   QStringLiteral("sample"), QStringLiteral("samples")));
    }
    limits +=
        QStringLiteral(
            "Latencies hold for this machine, engine and load. The engine runs on %1 and is not the fastest "
            "that the hardware allows.")
            .arg(summary.campaign.deviceName.isEmpty() ? QStringLiteral("one device")
                                                       : summary.campaign.deviceName);
    return limits;
}

} // namespace quantscope::ui
