// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/plot_layer.h"

namespace quantscope::ui {

qreal PlotFrame::atX(double value) const {
    return area.left() + x.fraction(value) * area.width();
}

qreal PlotFrame::atY(double value) const {
    return area.bottom() - y.fraction(value) * area.height();
}

QPointF PlotFrame::at(double xValue, double yValue) const {
    return {atX(xValue), atY(yValue)};
}

void PlotLayer::setFrame(const PlotFrame& frame) {
    prepareGeometryChange();
    frame_ = frame;
    update();
}

void PlotLayer::setStyle(const ChartTheme& theme, const QFont& font) {
    theme_ = theme;
    font_ = font;
    update();
}

void PlotLayer::setSelected(storage::Id runId) {
    selected_ = runId;
    update();
}

void PlotLayer::setHovered(storage::Id runId) {
    hovered_ = runId;
    update();
}

QRectF PlotLayer::boundingRect() const {
    return frame_.area.adjusted(-14.0, -14.0, 14.0, 14.0);
}

} // namespace quantscope::ui
