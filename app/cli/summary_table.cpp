// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/summary_table.h"

#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <algorithm>

namespace quantscope::cli {
namespace {

using storage::Comparison;
using storage::RunSummary;

QString ms(const storage::Percentiles& percentiles, double storage::Percentiles::*which) {
    return percentiles.count > 0 ? ui::formatNumber(percentiles.*which) : QString();
}

QString ratio(const std::optional<double>& value) {
    return value ? QStringLiteral("%1×").arg(QString::number(*value, 'f', 2)) : QString();
}

QString bytes(const RunSummary& run) {
    const auto memory = ui::memoryParts(run);
    return memory ? ui::formatBytes(memory->total()).replace(QChar(0x00A0), QLatin1Char(' ')) : QString();
}

QString statusOf(const RunSummary& run, const storage::CampaignSpec& spec) {
    const storage::RunStatus status = ui::overallStatus(run.run, spec);
    if (status == storage::RunStatus::Done && run.partial && run.run.importedFrom.isEmpty()) {
        return QStringLiteral("partial");
    }
    return run.run.importedFrom.isEmpty() ? ui::statusWord(status) : QStringLiteral("imported");
}

QString plain(QString text) {
    return text.replace(QChar(0x00A0), QLatin1Char(' '));
}

QString number(double value, int digits = 6) {
    return QString::number(value, 'g', digits);
}

QString number(const std::optional<double>& value) {
    return value ? number(*value) : QString();
}

} // namespace

TextTable runTable(const storage::CampaignSummary& summary) {
    TextTable table;
    table.addColumn(QStringLiteral("scheme"), TextTable::Align::Left);
    for (const char* title : {"batch", "pass@1", "95 % interval", "Δ points", "TPOT p50 ms", "p99",
                              "TTFT p50 ms", "p99", "time/token", "tokens/s", "memory", "B/weight"}) {
        table.addColumn(QString::fromUtf8(title));
    }
    const bool energy = ui::anyEnergy(summary);
    if (energy) {
        table.addColumn(QStringLiteral("J/token"));
    }
    table.addColumn(QStringLiteral("budget"), TextTable::Align::Left);
    table.addColumn(QStringLiteral("status"), TextTable::Align::Left);
    for (const RunSummary& run : summary.runs) {
        const bool scored = run.samplesScored > 0;
        const auto perWeight = ui::bytesPerWeight(run);
        const auto speed = ui::tokensPerSecond(run);
        QStringList row{
            run.run.schemeId,
            QString::number(run.run.batchSize),
            scored ? plain(ui::formatPercent(run.passAt1)) : QString(),
            scored ? plain(ui::formatInterval(run.passAt1Interval)) : QString(),
            ui::passComparison(run) != nullptr ? ui::formatPoints(run.comparison->passDelta) : QString(),
            ms(run.tpotMs, &storage::Percentiles::p50),
            ms(run.tpotMs, &storage::Percentiles::p99),
            ms(run.ttftMs, &storage::Percentiles::p50),
            ms(run.ttftMs, &storage::Percentiles::p99),
            run.comparison ? ratio(run.comparison->tpotRatio) : QString(),
            speed ? ui::formatNumber(*speed) : QString(),
            bytes(run),
            perWeight ? QString::number(*perWeight, 'f', 2) : QString(),
        };
        if (energy) {
            const auto joules = ui::energyPerToken(run);
            row << (joules ? ui::formatNumber(*joules) : QString());
        }
        row << ui::budgetWord(run.budget) << statusOf(run, summary.campaign.spec);
        table.addRow(row);
    }
    return table;
}

TextTable comparisonTable(const storage::CampaignSummary& summary) {
    TextTable table;
    table.addColumn(QStringLiteral("scheme"), TextTable::Align::Left);
    table.addColumn(QStringLiteral("batch"));
    table.addColumn(QStringLiteral("against"), TextTable::Align::Left);
    for (const char* title :
         {"pass@1", "Δ points", "95 % interval", "p", "p (Holm)", "lost", "gained", "time/token", "memory"}) {
        table.addColumn(QString::fromUtf8(title));
    }
    table.addColumn(QStringLiteral("verdict"), TextTable::Align::Left);
    for (const RunSummary& run : summary.runs) {
        if (!run.comparison) {
            continue;
        }
        const Comparison& comparison = *run.comparison;
        const RunSummary* baseline = ui::findRun(summary, comparison.baselineRunId);
        QStringList row{run.run.schemeId, QString::number(run.run.batchSize),
                        baseline != nullptr ? baseline->run.schemeId : QString()};
        if (ui::passComparison(run) != nullptr) {
            row << plain(ui::formatPercent(run.passAt1)) << ui::formatPoints(comparison.passDelta)
                << ui::formatPointsInterval(comparison.passDeltaInterval) << ui::formatP(comparison.p)
                << ui::formatP(comparison.pHolm) << QString::number(comparison.lostTasks.size())
                << QString::number(comparison.gainedTasks.size());
        } else {
            row << QString() << QString() << QString() << QString() << QString() << QString() << QString();
        }
        row << ratio(comparison.tpotRatio) << ratio(comparison.memoryRatio)
            << ui::verdictSentence(comparison);
        table.addRow(row);
    }
    return table;
}

QString comparisonNote(const storage::CampaignSummary& summary) {
    int most = 0;
    for (const RunSummary& run : summary.runs) {
        if (const Comparison* comparison = ui::passComparison(run)) {
            most = std::max(most, comparison->comparisons);
        }
    }
    if (most == 0) {
        return {};
    }
    const QString family =
        most == 1
            ? QString()
            : QStringLiteral(" They hold over %1 comparisons together; the same verdicts at several batch "
                             "sizes count once, those with fewer than 6 flipped problems stand alone.")
                  .arg(most);
    return QStringLiteral(
               "Interval, p (Holm) and verdict are one method, on the problems that both runs have "
               "scored.%1\n")
        .arg(family);
}

TextTable comparisonCsvTable(const storage::CampaignSummary& summary) {
    TextTable table;
    for (const char* title :
         {"scheme", "batch_size", "baseline_scheme", "pass_at_1", "pass_delta", "pass_delta_low",
          "pass_delta_high", "mcnemar_p", "mcnemar_p_holm", "lost", "gained", "tpot_ratio", "memory_ratio",
          "verdict", "test", "p", "p_holm", "problems_compared", "comparisons"}) {
        table.addColumn(QString::fromUtf8(title));
    }
    for (const RunSummary& run : summary.runs) {
        if (!run.comparison) {
            continue;
        }
        const Comparison& comparison = *run.comparison;
        const RunSummary* baseline = ui::findRun(summary, comparison.baselineRunId);
        QStringList row{run.run.schemeId, QString::number(run.run.batchSize),
                        baseline != nullptr ? baseline->run.schemeId : QString()};
        const bool exact = comparison.test == storage::PairedTest::ExactMcNemar;
        if (ui::passComparison(run) != nullptr) {
            row << number(run.passAt1) << number(comparison.passDelta)
                << number(comparison.passDeltaInterval.low) << number(comparison.passDeltaInterval.high)
                << (exact ? number(comparison.p) : QString())
                << (exact ? number(comparison.pHolm) : QString())
                << QString::number(comparison.lostTasks.size())
                << QString::number(comparison.gainedTasks.size());
        } else {
            row << QString() << QString() << QString() << QString() << QString() << QString() << QString()
                << QString();
        }
        row << number(comparison.tpotRatio) << number(comparison.memoryRatio)
            << ui::verdictSentence(comparison) << ui::testName(comparison.test) << number(comparison.p)
            << number(comparison.pHolm) << QString::number(comparison.problemsCompared)
            << QString::number(comparison.comparisons);
        table.addRow(row);
    }
    return table;
}

QString campaignLines(const storage::Campaign& campaign) {
    QStringList lines{
        QStringLiteral("Campaign %1: %2 (%3)")
            .arg(QString::number(campaign.id), campaign.spec.name, ui::statusWord(campaign.status)),
        QStringLiteral("Model: %1").arg(ui::modelName(campaign.spec)),
    };
    if (campaign.spec.evalEnabled) {
        const QString limit =
            campaign.spec.limit > 0 ? QStringLiteral(", first %1").arg(campaign.spec.limit) : QString();
        lines << QStringLiteral("Problems: %1%2").arg(ui::problemsName(campaign.spec), limit);
    }
    const storage::LatencySettings& latency = campaign.spec.latency;
    if (latency.enabled) {
        lines << QStringLiteral("Latency: %1 timed rounds, prompts of %2 and outputs of %3 tokens")
                     .arg(QString::number(latency.requests), QString::number(latency.promptTokens),
                          QString::number(latency.outputTokens));
    }
    const QString device = campaign.deviceDetail.isEmpty()
                               ? campaign.deviceName
                               : QStringLiteral("%1 (%2)").arg(campaign.deviceName, campaign.deviceDetail);
    if (!device.isEmpty()) {
        lines << QStringLiteral("Device: %1").arg(device);
    }
    if (ui::hasLimits(campaign.spec.budget)) {
        lines << plain(QStringLiteral("Budget: %1: %2")
                           .arg(campaign.spec.budget.name, ui::budgetLimits(campaign.spec.budget)));
    }
    return lines.join(QLatin1Char('\n')) + QLatin1Char('\n');
}

} // namespace quantscope::cli
