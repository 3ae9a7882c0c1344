// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/trade_off_layer.h"

#include <QLineF>
#include <QPainter>

#include <algorithm>

namespace quantscope::ui {

namespace {

constexpr qreal markerRadius = 6.0;
constexpr qreal hitRadius = 14.0;
constexpr qreal capHalfWidth = 4.0;

} // namespace

void TradeOffLayer::setModel(const TradeOffModel& model) {
    points_.clear();
    std::copy_if(
        model.points.begin(), model.points.end(), std::back_inserter(points_),
        [&](const TradeOffPoint& point) { return model.x.contains(point.x) && model.y.contains(point.y); });
    update();
}

storage::Id TradeOffLayer::runAt(const QPointF& position) const {
    storage::Id nearest = 0;
    qreal least = hitRadius;
    for (const TradeOffPoint& point : points_) {
        const qreal distance = QLineF(frame_.at(point.x, point.y), position).length();
        if (distance < least) {
            least = distance;
            nearest = point.runId;
        }
    }
    return nearest;
}

QString TradeOffLayer::toolTipOf(storage::Id runId) const {
    for (const TradeOffPoint& point : points_)
        if (point.runId == runId)
            return point.toolTip;
    return {};
}

QList<storage::Id> TradeOffLayer::runOrder() const {
    QList<TradeOffPoint> sorted = points_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
    QList<storage::Id> order;
    for (const TradeOffPoint& point : sorted)
        order += point.runId;
    return order;
}

void TradeOffLayer::paintInterval(QPainter* painter, const TradeOffPoint& point) const {
    QColor colour = theme_.scheme(point.scheme);
    colour.setAlphaF(0.8F);
    // Clipped here, not by the painter: the SVG generator ignores clip rectangles.
    const qreal x = frame_.atX(point.x);
    const qreal top = std::max(frame_.area.top(), frame_.atY(point.high));
    const qreal bottom = std::min(frame_.area.bottom(), frame_.atY(point.low));
    painter->setPen(QPen(colour, 1.6, point.partial ? Qt::DotLine : Qt::SolidLine, Qt::FlatCap));
    painter->drawLine(QPointF(x, top), QPointF(x, bottom));
    painter->setPen(QPen(colour, 1.6));
    painter->drawLine(QPointF(x - capHalfWidth, top), QPointF(x + capHalfWidth, top));
    painter->drawLine(QPointF(x - capHalfWidth, bottom), QPointF(x + capHalfWidth, bottom));
}

void TradeOffLayer::paintMarker(QPainter* painter, const TradeOffPoint& point) const {
    const QColor colour = theme_.scheme(point.scheme);
    painter->save();
    painter->translate(frame_.at(point.x, point.y));
    if (point.runId == selected_ || point.runId == hovered_) {
        QColor halo = colour;
        halo.setAlphaF(point.runId == selected_ ? 0.35F : 0.2F);
        painter->setPen(Qt::NoPen);
        painter->setBrush(halo);
        painter->drawEllipse(QPointF(), markerRadius + 7.0, markerRadius + 7.0);
    }
    if (point.baseline) {
        painter->setPen(QPen(theme_.text, 1.4));
        painter->setBrush(Qt::NoBrush);
        painter->drawEllipse(QPointF(), markerRadius + 4.0, markerRadius + 4.0);
    }
    // A rim in the ground's colour keeps markers apart where they overlap.
    const QPainterPath shape = markerShape(point.batch, markerRadius);
    painter->setBrush(Qt::NoBrush);
    painter->setPen(QPen(theme_.background, 3.6));
    painter->drawPath(shape);
    painter->setPen(QPen(colour, 1.8));
    painter->setBrush(point.budget == storage::BudgetVerdict::Outside ? theme_.background : colour);
    painter->drawPath(shape);
    if (point.budget == storage::BudgetVerdict::NotEnoughRequests) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme_.background);
        painter->drawEllipse(QPointF(), markerRadius / 3.0, markerRadius / 3.0);
    }
    painter->restore();
}

void TradeOffLayer::paint(QPainter* painter, const QStyleOptionGraphicsItem* /*option*/,
                          QWidget* /*widget*/) {
    painter->setRenderHint(QPainter::Antialiasing);
    for (const TradeOffPoint& point : points_)
        paintInterval(painter, point);
    for (const TradeOffPoint& point : points_)
        paintMarker(painter, point);
}

} // namespace quantscope::ui
