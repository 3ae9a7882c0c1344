// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/plot_layer.h"
#include "ui/charts/trade_off_model.h"

namespace quantscope::ui {

/// The runs of the trade-off chart: an interval segment and a marker each.
class TradeOffLayer : public PlotLayer {
  public:
    using PlotLayer::PlotLayer;

    void setModel(const TradeOffModel& model);

    [[nodiscard]] storage::Id runAt(const QPointF& position) const override;
    [[nodiscard]] QString toolTipOf(storage::Id runId) const override;
    [[nodiscard]] QList<storage::Id> runOrder() const override;
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

  private:
    void paintInterval(QPainter* painter, const TradeOffPoint& point) const;
    void paintMarker(QPainter* painter, const TradeOffPoint& point) const;

    QList<TradeOffPoint> points_; ///< only those that the axes show
};

} // namespace quantscope::ui
