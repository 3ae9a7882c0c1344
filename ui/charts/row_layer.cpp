// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/row_layer.h"

#include <QFontMetricsF>
#include <QPainter>

#include <algorithm>
#include <array>

namespace quantscope::ui {

void RowLayer::setModel(const RowModel& model) {
    model_ = model;
    update();
}

qreal RowLayer::partOpacity(qsizetype index) {
    static constexpr std::array opacities{1.0, 0.55, 0.25};
    return opacities[static_cast<std::size_t>(std::clamp<qsizetype>(index, 0, 2))];
}

qreal RowLayer::rowHeight() const {
    return frame_.area.height() / static_cast<qreal>(std::max<qsizetype>(1, model_.rows.size()));
}

qreal RowLayer::rowY(qsizetype index) const {
    return frame_.area.top() + (static_cast<qreal>(index) + 0.5) * rowHeight();
}

storage::Id RowLayer::runAt(const QPointF& position) const {
    if (model_.rows.isEmpty() || !frame_.area.contains(position))
        return 0;
    const auto index = static_cast<qsizetype>((position.y() - frame_.area.top()) / rowHeight());
    return model_.rows[std::clamp<qsizetype>(index, 0, model_.rows.size() - 1)].runId;
}

QString RowLayer::toolTipOf(storage::Id runId) const {
    for (const RowModel::Row& row : model_.rows)
        if (row.runId == runId)
            return row.toolTip;
    return {};
}

QList<storage::Id> RowLayer::runOrder() const {
    QList<storage::Id> order;
    for (const RowModel::Row& row : model_.rows)
        order += row.runId;
    return order;
}

/// p50 to p99 as a band, p90 and p99 as strokes, p50 as the batch's marker. Returns the right end.
qreal RowLayer::paintLatency(QPainter* painter, const RowModel::Row& row, qreal y) const {
    const QColor colour = theme_.scheme(row.scheme);
    QColor band = colour;
    band.setAlphaF(0.3F);
    const qreal half = std::min(5.0, rowHeight() * 0.3);
    const qreal p50 = frame_.atX(row.values[0]);
    const qreal p90 = frame_.atX(row.values[1]);
    const qreal p99 = frame_.atX(row.values[2]);
    painter->fillRect(QRectF(QPointF(p50, y - half * 0.6), QPointF(p99, y + half * 0.6)), band);
    painter->setPen(QPen(colour, 1.4));
    painter->drawLine(QPointF(p90, y - half * 0.6), QPointF(p90, y + half * 0.6));
    painter->setPen(QPen(colour, 2.0));
    painter->drawLine(QPointF(p99, y - half), QPointF(p99, y + half));
    painter->save();
    painter->translate(p50, y);
    painter->setPen(QPen(theme_.background, 1.0));
    painter->setBrush(colour);
    painter->drawPath(markerShape(row.batch, std::min(5.5, rowHeight() * 0.35)));
    painter->restore();
    return std::max(p99, p50 + half);
}

qreal RowLayer::paintStack(QPainter* painter, const RowModel::Row& row, qreal y) const {
    const qreal half = std::min(9.0, rowHeight() * 0.34);
    double sum = 0.0;
    qreal right = frame_.atX(0.0);
    for (qsizetype part = 0; part < row.values.size(); ++part) {
        const qreal left = right;
        sum += row.values[part];
        right = frame_.atX(sum);
        QColor colour = theme_.scheme(row.scheme);
        colour.setAlphaF(static_cast<float>(partOpacity(part)));
        painter->fillRect(QRectF(QPointF(left, y - half), QPointF(right, y + half)), colour);
    }
    return right;
}

void RowLayer::paint(QPainter* painter, const QStyleOptionGraphicsItem* /*option*/, QWidget* /*widget*/) {
    painter->setRenderHint(QPainter::Antialiasing);
    const QFontMetricsF metrics(font_);
    for (qsizetype i = 0; i < model_.rows.size(); ++i) {
        const RowModel::Row& row = model_.rows[i];
        const qreal y = rowY(i);
        if (row.runId == selected_ || row.runId == hovered_) {
            QColor highlight = theme_.scheme(row.scheme);
            highlight.setAlphaF(row.runId == selected_ ? 0.18F : 0.1F);
            painter->fillRect(
                QRectF(frame_.area.left(), y - rowHeight() / 2.0, frame_.area.width(), rowHeight()),
                highlight);
        }
        const qreal end =
            model_.kind == ChartKind::Latency ? paintLatency(painter, row, y) : paintStack(painter, row, y);
        // Left of the end where the axis leaves no room on its right.
        const qreal wide = metrics.horizontalAdvance(row.valueText);
        const qreal x =
            end + 6.0 + wide <= frame_.area.right() + 10.0 ? end + 6.0 : frame_.area.right() - wide;
        if (model_.budgetX && frame_.atX(*model_.budgetX) > x - 3.0 &&
            frame_.atX(*model_.budgetX) < x + wide + 3.0)
            painter->fillRect(
                QRectF(x - 2.0, y - metrics.height() / 2.0, wide + 4.0, metrics.height()),
                theme_.background); // the numbers stay legible where the budget's line crosses them
        painter->setFont(font_);
        painter->setPen(theme_.text);
        painter->drawText(QPointF(x, y + metrics.ascent() / 2.0 - 1.0), row.valueText);
    }
}

} // namespace quantscope::ui
