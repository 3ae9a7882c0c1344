// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/row_model.h"

#include "ui/charts/run_tool_tip.h"
#include "ui/charts/trade_off_model.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <algorithm>

namespace quantscope::ui {

using storage::CampaignSummary;
using storage::Percentiles;
using storage::RunSummary;

namespace {

/// The rows of a campaign, scheme by scheme, batches ascending; `values` gives a row's numbers, empty for
/// none.
template<typename Values>
void fillRows(RowModel& model, const CampaignSummary& summary, const Values& values) {
    const QStringList ids = schemeOrder(summary);
    const QList<int> sizes = batchOrder(summary);
    for (const QString& id : ids)
        model.schemes += schemeLabel(summary, id);
    for (const int size : sizes)
        model.batches += QStringLiteral("batch %1").arg(size);
    for (const RunSummary& run : summary.runs) {
        RowModel::Row row;
        row.values = values(run);
        if (row.values.isEmpty())
            continue;
        row.runId = run.run.id;
        row.scheme = static_cast<int>(ids.indexOf(run.run.schemeId));
        row.batch = static_cast<int>(sizes.indexOf(run.run.batchSize));
        row.label = QStringLiteral("%1 · b%2").arg(schemeName(run.run), QString::number(run.run.batchSize));
        row.toolTip = runToolTip(run);
        model.rows += row;
    }
    std::stable_sort(model.rows.begin(), model.rows.end(), [](const auto& a, const auto& b) {
        return a.scheme != b.scheme ? a.scheme < b.scheme : a.batch < b.batch;
    });
}

/// Row 0 on top: the axis counts upwards, so its labels are set from the bottom.
void labelRows(RowModel& model) {
    const auto count = static_cast<double>(model.rows.size());
    model.y.low = 0.0;
    model.y.high = std::max(1.0, count);
    for (qsizetype i = model.rows.size() - 1; i >= 0; --i)
        model.y.ticks += {count - static_cast<double>(i) - 0.5, model.rows[i].label};
}

} // namespace

RowModel latencyRows(const CampaignSummary& summary, XMetric metric, bool logX) {
    const bool ttft = metric == XMetric::TtftP50;
    RowModel model;
    model.kind = ChartKind::Latency;
    model.parts = {QStringLiteral("p50"), QStringLiteral("p90"), QStringLiteral("p99")};
    fillRows(model, summary, [&](const RunSummary& run) {
        const Percentiles& latency = ttft ? run.ttftMs : run.tpotMs;
        if (latency.count == 0 || (logX && latency.p50 <= 0.0))
            return QList<double>();
        return QList<double>{latency.p50, latency.p90, latency.p99};
    });
    double least = 1e300;
    double most = 0.0;
    for (RowModel::Row& row : model.rows) {
        row.valueText =
            QStringLiteral("%1 / %2").arg(formatNumber(row.values[0]), formatNumber(row.values[2]));
        least = std::min(least, row.values.first());
        most = std::max(most, row.values.last());
    }
    // The room on the right is for the numbers behind the longest row.
    if (model.rows.isEmpty())
        model.x = linearTicks(0.0, 100.0, 5);
    else
        model.x = logX ? logTicks(least / 1.1, most * 1.6) : linearTicks(0.0, most * 1.12, 7);
    labelRows(model);
    model.xTitle = ttft ? QStringLiteral("TTFT, ms to the first token (at each row's end: p50 / p99)")
                        : QStringLiteral("TPOT, ms per output token (at each row's end: p50 / p99)");
    const auto& budget = summary.campaign.spec.budget;
    const auto limit = ttft ? budget.ttftP99Ms : budget.tpotP99Ms;
    if (limit && !model.rows.isEmpty()) {
        model.budgetX = limit;
        model.budgetText =
            QStringLiteral("Budget: %1 p99 ≤ %2")
                .arg(ttft ? QStringLiteral("TTFT") : QStringLiteral("TPOT"), formatLimit(*limit));
    }
    if (model.rows.isEmpty())
        model.emptyText = QStringLiteral(
            "No latency has been measured yet.\nEach run appears here when its requests are timed.");
    return model;
}

RowModel memoryRows(const CampaignSummary& summary) {
    RowModel model;
    model.kind = ChartKind::Memory;
    model.parts = {QStringLiteral("weights"), QStringLiteral("KV cache"), QStringLiteral("workspace")};
    fillRows(model, summary, [](const RunSummary& run) {
        const auto parts = memoryParts(run);
        return parts ? QList<double>{parts->weights, parts->kvCache, parts->workspace} : QList<double>();
    });
    double most = 0.0;
    for (const RowModel::Row& row : model.rows)
        most = std::max(most, row.values[0] + row.values[1] + row.values[2]);
    const ByteUnit unit = byteUnitFor(most);
    for (RowModel::Row& row : model.rows) {
        row.valueText = formatBytes(row.values[0] + row.values[1] + row.values[2]);
        for (double& value : row.values)
            value /= unit.bytes;
    }
    model.x =
        model.rows.isEmpty() ? linearTicks(0.0, 100.0, 5) : linearTicks(0.0, most / unit.bytes * 1.12, 7);
    labelRows(model);
    model.xTitle = QStringLiteral("Memory, %1").arg(unit.name);
    if (model.rows.isEmpty())
        model.emptyText = QStringLiteral(
            "No memory has been measured yet.\nEach run appears here when its scheme is loaded.");
    return model;
}

} // namespace quantscope::ui
