// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_columns.h"

#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

namespace quantscope::ui {

namespace {

using storage::CampaignSummary;
using storage::Percentiles;
using storage::RunSummary;
using Number = std::function<std::optional<double>(const RunSummary&)>;

/// A column that shows one number by formatNumber() and sorts by it.
RunColumn numberColumn(const QString& header, const QString& toolTip, const Number& number) {
    return {header, toolTip, Qt::AlignRight,
            [number](const CampaignSummary&, const RunSummary& run) {
                const auto value = number(run);
                return value ? formatNumber(*value) : QString();
            },
            [number](const CampaignSummary&, const RunSummary& run) {
                const auto value = number(run);
                return value ? QVariant(*value) : QVariant();
            }};
}

Number percentile(Percentiles RunSummary::*latency, double Percentiles::*which) {
    return [latency, which](const RunSummary& run) {
        return (run.*latency).count > 0 ? std::optional((run.*latency).*which) : std::nullopt;
    };
}

int samplesAskedFor(const CampaignSummary& summary, const RunSummary& run) {
    return run.problemsTotal * summary.campaign.spec.sampling.samplesPerProblem;
}

QString passText(const CampaignSummary& /*summary*/, const RunSummary& run) {
    if (run.samplesScored == 0)
        return {};
    return QStringLiteral("%1 [%2, %3]")
        .arg(QString::number(run.passAt1 * 100.0, 'f', 1),
             QString::number(run.passAt1Interval.low * 100.0, 'f', 1),
             QString::number(run.passAt1Interval.high * 100.0, 'f', 1));
}

QString deltaText(const CampaignSummary& /*summary*/, const RunSummary& run) {
    const auto* comparison = passComparison(run);
    if (comparison == nullptr)
        return {};
    const auto& interval = comparison->passDeltaInterval;
    return QStringLiteral("%1 [%2, %3]")
        .arg(formatPoints(comparison->passDelta), formatPoints(interval.low), formatPoints(interval.high));
}

QList<RunColumn> nameColumns() {
    return {
        {QStringLiteral("Base"),
         QStringLiteral("A baseline: the run that those of its batch size are compared with."),
         Qt::AlignHCenter,
         [](const CampaignSummary& summary, const RunSummary& run) {
             return isBaseline(summary, run.run.id) ? QStringLiteral("●") : QString();
         },
         [](const CampaignSummary& summary, const RunSummary& run) {
             return QVariant(isBaseline(summary, run.run.id) ? 0 : 1);
         }},
        {QStringLiteral("Scheme"), QStringLiteral("How weights and activations are stored and multiplied."),
         Qt::AlignLeft, [](const CampaignSummary&, const RunSummary& run) { return schemeName(run.run); },
         [](const CampaignSummary&, const RunSummary& run) { return QVariant(schemeName(run.run)); }},
        {QStringLiteral("Batch"), QStringLiteral("How many requests are decoded together."), Qt::AlignHCenter,
         [](const CampaignSummary&, const RunSummary& run) { return QString::number(run.run.batchSize); },
         [](const CampaignSummary&, const RunSummary& run) { return QVariant(run.run.batchSize); }},
        {QStringLiteral("Status"),
         QStringLiteral("How far the run is; a failed one says why under the pointer."), Qt::AlignLeft,
         [](const CampaignSummary& summary, const RunSummary& run) {
             return statusWord(overallStatus(run.run, summary.campaign.spec));
         },
         [](const CampaignSummary& summary, const RunSummary& run) {
             return QVariant(static_cast<int>(overallStatus(run.run, summary.campaign.spec)));
         }},
        {QStringLiteral("Samples"), QStringLiteral("Completions stored, of those asked for."), Qt::AlignRight,
         [](const CampaignSummary& summary, const RunSummary& run) {
             const int total = samplesAskedFor(summary, run);
             return total == 0 ? QString() : QStringLiteral("%1 / %2").arg(run.samplesStored).arg(total);
         },
         [](const CampaignSummary&, const RunSummary& run) { return QVariant(run.samplesStored); }},
    };
}

QList<RunColumn> passColumns() {
    return {
        {QStringLiteral("pass@1, %\n[95 % interval]"),
         QStringLiteral("Share of problems solved, with its Wilson 95 % interval."), Qt::AlignRight, passText,
         [](const CampaignSummary&, const RunSummary& run) {
             return run.samplesScored > 0 ? QVariant(run.passAt1) : QVariant();
         }},
        {QStringLiteral("Δ points\n[95 % interval]"),
         QStringLiteral(
             "pass@1 minus the baseline's in percentage points, on the problems that both have scored, with "
             "the interval that belongs to p: 95 % over all the campaign's comparisons."),
         Qt::AlignRight, deltaText,
         [](const CampaignSummary&, const RunSummary& run) {
             const auto* comparison = passComparison(run);
             return comparison != nullptr ? QVariant(comparison->passDelta) : QVariant();
         }},
        {QStringLiteral("p\n(Holm)"),
         QStringLiteral(
             "Exact McNemar test against the baseline (Student's t of the problems' differences where "
             "samples "
             "of a problem disagree), Holm-corrected over the campaign's comparisons; the same verdicts at "
             "several batch sizes are one. Below 0.05 exactly where the interval leaves out 0."),
         Qt::AlignRight,
         [](const CampaignSummary&, const RunSummary& run) {
             const auto* comparison = passComparison(run);
             return comparison != nullptr ? formatP(comparison->pHolm) : QString();
         },
         [](const CampaignSummary&, const RunSummary& run) {
             const auto* comparison = passComparison(run);
             return comparison != nullptr ? QVariant(comparison->pHolm) : QVariant();
         }},
    };
}

RunColumn energyColumn() {
    RunColumn column = numberColumn(
        QStringLiteral("Energy\nJ/token"),
        QStringLiteral("Joules of the GPU a token of output, prompts included: of a second or more "
                       "of the latency measurement's requests."),
        energyPerToken);
    column.shown = anyEnergy;
    return column;
}

QList<RunColumn> costColumns() {
    return {
        numberColumn(QStringLiteral("TTFT\np50, ms"), QStringLiteral("Time to first token, median."),
                     percentile(&RunSummary::ttftMs, &Percentiles::p50)),
        numberColumn(QStringLiteral("TTFT\np99, ms"), QStringLiteral("Time to first token, 99th percentile."),
                     percentile(&RunSummary::ttftMs, &Percentiles::p99)),
        numberColumn(QStringLiteral("TPOT\np50, ms"),
                     QStringLiteral("Time per output token, median over requests."),
                     percentile(&RunSummary::tpotMs, &Percentiles::p50)),
        numberColumn(QStringLiteral("TPOT\np99, ms"),
                     QStringLiteral("Time per output token, 99th percentile."),
                     percentile(&RunSummary::tpotMs, &Percentiles::p99)),
        numberColumn(QStringLiteral("Tokens/s"),
                     QStringLiteral("Throughput of the latency measurement, all slots together."),
                     tokensPerSecond),
        {QStringLiteral("Memory"), QStringLiteral("Weights, KV cache and workspace together."),
         Qt::AlignRight,
         [](const CampaignSummary&, const RunSummary& run) {
             const auto parts = memoryParts(run);
             return parts ? formatBytes(parts->total()) : QString();
         },
         [](const CampaignSummary&, const RunSummary& run) {
             const auto parts = memoryParts(run);
             return parts ? QVariant(parts->total()) : QVariant();
         }},
        {QStringLiteral("Bytes per\nweight"), QStringLiteral("Of the quantized linears, scales included."),
         Qt::AlignRight,
         [](const CampaignSummary&, const RunSummary& run) {
             const auto bytes = bytesPerWeight(run);
             return bytes ? QString::number(*bytes, 'f', 3) : QString();
         },
         [](const CampaignSummary&, const RunSummary& run) {
             const auto bytes = bytesPerWeight(run);
             return bytes ? QVariant(*bytes) : QVariant();
         }},
        energyColumn(),
        {QStringLiteral("Budget"),
         QStringLiteral("Whether the 99th percentiles keep every limit of the real-time budget, at 95 % "
                        "confidence: inside needs 299 timed rounds or more, outside may need few."),
         Qt::AlignLeft, [](const CampaignSummary&, const RunSummary& run) { return budgetWord(run.budget); },
         [](const CampaignSummary&, const RunSummary& run) {
             return run.budget != storage::BudgetVerdict::NotJudged ? QVariant(static_cast<int>(run.budget))
                                                                    : QVariant();
         }},
    };
}

} // namespace

const QList<RunColumn>& runColumns() {
    static const QList<RunColumn> columns = nameColumns() + passColumns() + costColumns();
    return columns;
}

} // namespace quantscope::ui
