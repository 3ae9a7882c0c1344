// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"
#include "ui/charts/axis_ticks.h"
#include "ui/charts/chart_options.h"

#include <QPointF>

#include <optional>

namespace quantscope::ui {

/// One run as a point: cost on x, pass@1 in percent on y with its Wilson 95 % interval.
struct TradeOffPoint {
    storage::Id runId = 0;
    int scheme = 0; ///< position in TradeOffModel::schemes: the colour
    int batch = 0;  ///< position in TradeOffModel::batches: the marker
    double x = 0.0;
    double y = 0.0, low = 0.0, high = 0.0;
    bool baseline = false;
    bool partial = false; ///< fewer samples than asked for, or still running
    storage::BudgetVerdict budget = storage::BudgetVerdict::NotJudged;
    bool onFront = false;
    QString toolTip; ///< the run's numbers, as HTML
};

/// All that the trade-off chart draws, and no drawing: it can be tested and exported without a screen.
struct TradeOffModel {
    QStringList schemes; ///< labels, in the campaign's order
    QStringList batches; ///< "batch 1", "batch 8", …, ascending
    QList<TradeOffPoint> points;
    QList<QPointF>
        front; ///< corners of the step line through the runs that no other run beats in both; may be empty
    AxisTicks x, y;
    QString xTitle, yTitle;
    std::optional<double> budgetX; ///< where the budget's limit stands on this x axis
    QString budgetText;
    int runsWithoutData = 0; ///< runs that lack the x number or a scored sample, and so are not points (yet)
    int nonPositive = 0;     ///< runs that a log axis cannot show
    QString emptyText;       ///< what to say instead of points; empty when there are points
};

TradeOffModel tradeOffModel(const storage::CampaignSummary& summary, XMetric metric, bool logX);

/// The x number of a run: milliseconds, tokens a second, bytes or joules a token; nullopt without data.
std::optional<double> xValue(const storage::RunSummary& run, XMetric metric);

/// True where a larger number is the better one (throughput).
bool largerIsBetter(XMetric metric);

/// Schemes of a campaign in the order in which they were asked for, then any other in order of appearance:
/// ids.
QStringList schemeOrder(const storage::CampaignSummary& summary);
QList<int> batchOrder(const storage::CampaignSummary& summary);
QString schemeLabel(const storage::CampaignSummary& summary, const QString& schemeId);

} // namespace quantscope::ui
