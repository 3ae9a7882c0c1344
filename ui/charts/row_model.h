// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"
#include "ui/charts/axis_ticks.h"
#include "ui/charts/chart_options.h"

namespace quantscope::ui {

/// A chart with one row a run: latencies as p50, p90 and p99, or memory as stacked parts.
struct RowModel {
    struct Row {
        storage::Id runId = 0;
        QString label; ///< "INT8 · 8"
        int scheme = 0;
        int batch = 0;
        QList<double> values; ///< one for each of `parts`, in the axis's unit
        QString valueText;    ///< written at the row's end
        QString toolTip;
    };
    ChartKind kind = ChartKind::Latency;
    QStringList schemes, batches; ///< as in TradeOffModel
    QStringList parts;            ///< {"p50", "p90", "p99"} or {"weights", "KV cache", "workspace"}
    QList<Row> rows;              ///< top to bottom
    AxisTicks x, y;               ///< y: row i is centred on i + 0.5, counted from the top
    QString xTitle;
    std::optional<double> budgetX;
    QString budgetText;
    QString emptyText;
};

RowModel latencyRows(const storage::CampaignSummary& summary, XMetric metric, bool logX);
RowModel memoryRows(const storage::CampaignSummary& summary);

} // namespace quantscope::ui
