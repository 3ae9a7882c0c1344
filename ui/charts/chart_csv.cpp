// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_export.h"

#include "storage/csv.h"
#include "ui/charts/trade_off_model.h"
#include "ui/numbers/run_numbers.h"

#include <QStringList>

namespace quantscope::ui {

namespace {

using storage::Percentiles;
using storage::RunSummary;

QString number(double value) {
    return QString::number(value, 'g', 10);
}

QString number(std::optional<double> value) {
    return value ? number(*value) : QString();
}

QStringList percentileCells(const Percentiles& latency) {
    if (latency.count == 0)
        return QStringList(7, QString());
    return {QString::number(latency.count),
            QString::number(latency.rounds),
            number(latency.p50),
            number(latency.p90),
            number(latency.p99),
            number(latency.p99Limits.low),
            number(latency.p99Limits.high)};
}

/// 1 inside, 0 outside, nothing where that is not known.
QString insideCell(storage::BudgetVerdict verdict) {
    if (verdict == storage::BudgetVerdict::Inside)
        return QStringLiteral("1");
    return verdict == storage::BudgetVerdict::Outside ? QStringLiteral("0") : QString();
}

QStringList nameCells(const RunSummary& run) {
    return {storage::csvText(run.run.schemeId), storage::csvText(schemeName(run.run)),
            QString::number(run.run.batchSize)};
}

QStringList passCells(const RunSummary& run, bool baseline) {
    QStringList cells{baseline ? QStringLiteral("1") : QStringLiteral("0"),
                      QString::number(run.samplesScored), QString::number(run.samplesPassed)};
    if (run.samplesScored > 0)
        cells += {number(run.passAt1), number(run.passAt1Interval.low), number(run.passAt1Interval.high)};
    else
        cells += {QString(), QString(), QString()};
    return cells;
}

QStringList memoryCells(const RunSummary& run) {
    const auto parts = memoryParts(run);
    if (!parts)
        return {QString(), QString(), QString()};
    return {number(parts->weights), number(parts->kvCache), number(parts->workspace)};
}

QString headings(ChartKind kind) {
    static const QString names = QStringLiteral("scheme,label,batch_size,");
    static const QString memory = QStringLiteral("weight_bytes,kv_cache_bytes,workspace_bytes");
    static const QString latency =
        QStringLiteral("ttft_requests,ttft_rounds,ttft_ms_p50,ttft_ms_p90,ttft_ms_p99,ttft_ms_p99_low,"
                       "ttft_ms_p99_high,tpot_requests,tpot_rounds,tpot_ms_p50,tpot_ms_p90,tpot_ms_p99,"
                       "tpot_ms_p99_low,tpot_ms_p99_high,tokens_per_s");
    static const QString tradeOff = names +
                                    QStringLiteral("baseline,samples_scored,samples_passed,pass_at_1,"
                                                   "pass_at_1_low,pass_at_1_high,") +
                                    latency + u',' + memory +
                                    QStringLiteral(",inside_budget,partial,energy_per_token_j,budget");
    static const QString latencyOnly = names + latency;
    static const QString memoryOnly = names + memory;
    return kind == ChartKind::TradeOff ? tradeOff : kind == ChartKind::Latency ? latencyOnly : memoryOnly;
}

} // namespace

QString chartCsv(const storage::CampaignSummary& summary, ChartKind kind) {
    QByteArray csv = headings(kind).toUtf8() + "\r\n";
    for (const RunSummary& run : summary.runs) {
        QStringList cells = nameCells(run);
        if (kind == ChartKind::TradeOff)
            cells += passCells(run, isBaseline(summary, run.run.id));
        if (kind != ChartKind::Memory)
            cells += percentileCells(run.ttftMs) + percentileCells(run.tpotMs) +
                     QStringList{number(tokensPerSecond(run))};
        if (kind != ChartKind::Latency)
            cells += memoryCells(run);
        if (kind == ChartKind::TradeOff)
            cells += {insideCell(run.budget), QString::number(static_cast<int>(run.partial)),
                      number(energyPerToken(run)), budgetWord(run.budget)};
        csv += storage::csvLine(cells);
    }
    return QString::fromUtf8(csv);
}

} // namespace quantscope::ui
