// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"
#include "ui/charts/axis_ticks.h"
#include "ui/charts/chart_theme.h"

#include <QFont>
#include <QGraphicsItem>

namespace quantscope::ui {

/// Where the axes put a value, in scene coordinates.
struct PlotFrame {
    QRectF area;
    AxisTicks x, y;

    [[nodiscard]] QPointF at(double xValue, double yValue) const;
    [[nodiscard]] qreal atX(double value) const;
    [[nodiscard]] qreal atY(double value) const;
};

/// What Qt Charts has no series for (intervals, shaped and hollow markers, rows), drawn over its axes.
class PlotLayer : public QGraphicsItem {
  public:
    using QGraphicsItem::QGraphicsItem;

    void setFrame(const PlotFrame& frame);
    void setStyle(const ChartTheme& theme, const QFont& font);
    /// 0 for none.
    void setSelected(storage::Id runId);
    void setHovered(storage::Id runId);

    /// The run under a position (scene coordinates), or 0.
    [[nodiscard]] virtual storage::Id runAt(const QPointF& position) const = 0;
    [[nodiscard]] virtual QString toolTipOf(storage::Id runId) const = 0;
    /// Runs in reading order, for the arrow keys.
    [[nodiscard]] virtual QList<storage::Id> runOrder() const = 0;

    [[nodiscard]] QRectF boundingRect() const override;

  protected:
    PlotFrame frame_;
    ChartTheme theme_ = ChartTheme::light();
    QFont font_;
    storage::Id selected_ = 0;
    storage::Id hovered_ = 0;
};

} // namespace quantscope::ui
