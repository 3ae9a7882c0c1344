// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/plot_layer.h"
#include "ui/charts/row_model.h"

namespace quantscope::ui {

/// Rows of the latency and memory charts.
class RowLayer : public PlotLayer {
  public:
    using PlotLayer::PlotLayer;

    void setModel(const RowModel& model);

    [[nodiscard]] storage::Id runAt(const QPointF& position) const override;
    [[nodiscard]] QString toolTipOf(storage::Id runId) const override;
    [[nodiscard]] QList<storage::Id> runOrder() const override;
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

    /// How strongly part `index` of a stacked bar is filled: the legend shows the same.
    static qreal partOpacity(qsizetype index);

  private:
    [[nodiscard]] qreal rowY(qsizetype index) const;
    [[nodiscard]] qreal rowHeight() const;
    qreal paintLatency(QPainter* painter, const RowModel::Row& row, qreal y) const;
    qreal paintStack(QPainter* painter, const RowModel::Row& row, qreal y) const;

    RowModel model_;
};

} // namespace quantscope::ui
