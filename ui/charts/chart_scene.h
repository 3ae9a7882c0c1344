// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_legend.h"
#include "ui/charts/chart_options.h"
#include "ui/charts/plot_layer.h"

#include <QGraphicsScene>

class QCategoryAxis;
class QChart;
class QLineSeries;
class QGraphicsRectItem;
class QGraphicsTextItem;

namespace quantscope::ui {

struct RowModel;
struct TradeOffModel;

/// One chart with title, axes, legend and empty-state text. The window shows it in a view, the exports paint
/// it: both are the same drawing.
class ChartScene : public QGraphicsScene {
    Q_OBJECT

  public:
    explicit ChartScene(ChartKind kind, QObject* parent = nullptr);

    void setStyle(const ChartTheme& theme, const QFont& font);
    /// Takes xMetric, logX and showTitle from the options; size and ground are set by layOut() and
    /// setStyle().
    void setSummary(const storage::CampaignSummary& summary, const ChartOptions& options);
    void layOut(const QSizeF& size);
    /// What the rows, the legend and the axes need so that nothing is cut.
    [[nodiscard]] qreal minimumHeight() const;

    [[nodiscard]] PlotLayer* layer() const { return layer_; }
    [[nodiscard]] const ChartLegend* legend() const { return legend_; }
    [[nodiscard]] QString emptyText() const;

  private:
    void showTradeOff(const TradeOffModel& model);
    void showRows(const RowModel& model);
    void setAxes(const AxisTicks& x, const AxisTicks& y, const QString& xTitle, const QString& yTitle);
    void setBudget(std::optional<double> budgetX, const QString& text, QList<LegendEntry>& entries);
    void setTitle(const storage::CampaignSummary& summary, bool shown);
    void setEmptyText(const QString& text);
    void styleAxes();

    ChartKind kind_;
    ChartTheme theme_;
    QFont font_;
    QChart* chart_;
    QCategoryAxis* axisX_;
    QCategoryAxis* axisY_;
    QLineSeries* frontSeries_;
    QLineSeries* budgetSeries_;
    QGraphicsRectItem* beyondBudget_;
    PlotLayer* layer_;
    ChartLegend* legend_;
    QGraphicsTextItem* title_;
    QGraphicsTextItem* empty_;
    AxisTicks x_, y_;
    std::optional<double> budgetX_; ///< set when the axis shows it
    int rowCount_ = 0;
};

} // namespace quantscope::ui
