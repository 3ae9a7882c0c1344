// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_legend.h"

#include <QFontMetricsF>
#include <QPainter>

namespace quantscope::ui {

namespace {

constexpr qreal signWidth = 22.0;
constexpr qreal entryGap = 16.0;
constexpr qreal lineGap = 4.0;
constexpr qreal markerRadius = 5.5;

bool isHeading(const LegendEntry& entry) {
    return entry.sign == LegendEntry::Sign::Heading;
}

qreal entryWidth(const LegendEntry& entry, const QFontMetricsF& metrics) {
    return metrics.horizontalAdvance(entry.text) + (isHeading(entry) ? 0.0 : signWidth);
}

/// Of the heading at `first` and the entries up to the next one.
qreal groupWidth(const QList<LegendEntry>& entries, qsizetype first, const QFontMetricsF& metrics) {
    qreal wide = entryWidth(entries[first], metrics);
    for (qsizetype i = first + 1; i < entries.size() && !isHeading(entries[i]); ++i)
        wide += entryGap + entryWidth(entries[i], metrics);
    return wide;
}

} // namespace

ChartLegend::ChartLegend(QGraphicsItem* parent) : QGraphicsItem(parent), theme_(ChartTheme::light()) {}

void ChartLegend::setEntries(QList<LegendEntry> entries) {
    entries_ = std::move(entries);
    update();
}

void ChartLegend::setStyle(const ChartTheme& theme, const QFont& font) {
    theme_ = theme;
    font_ = font;
    update();
}

qreal ChartLegend::layOut(qreal width) {
    prepareGeometryChange();
    const QFontMetricsF metrics(font_);
    const qreal lineHeight = metrics.height() + lineGap;
    places_.clear();
    QPointF at(0.0, 0.0);
    for (qsizetype i = 0; i < entries_.size(); ++i) {
        // A heading takes a new line unless all that belongs to it fits on this one.
        const qreal wide = entryWidth(entries_[i], metrics);
        const qreal needed = isHeading(entries_[i]) ? groupWidth(entries_, i, metrics) : wide;
        if (at.x() > 0.0 && at.x() + needed > width)
            at = QPointF(0.0, at.y() + lineHeight);
        places_ += at;
        at.rx() += wide + entryGap;
        if (i + 1 < entries_.size() && isHeading(entries_[i + 1]))
            at.rx() += entryGap;
    }
    size_ = QSizeF(width, entries_.isEmpty() ? 0.0 : at.y() + lineHeight);
    return size_.height();
}

QRectF ChartLegend::boundingRect() const {
    return {QPointF(), size_};
}

void ChartLegend::paintSign(QPainter* painter, const LegendEntry& entry, const QPointF& centre) const {
    painter->save();
    painter->translate(centre);
    using Sign = LegendEntry::Sign;
    switch (entry.sign) {
    case Sign::Heading: break;
    case Sign::Swatch: {
        QColor colour = entry.index < 0 ? theme_.text : theme_.scheme(entry.index);
        colour.setAlphaF(static_cast<float>(entry.opacity));
        painter->fillRect(QRectF(-7.0, -5.0, 14.0, 10.0), colour);
        break;
    }
    case Sign::Marker:
    case Sign::HollowMarker:
    case Sign::DottedMarker:
        painter->setPen(QPen(theme_.mutedText, 1.6));
        painter->setBrush(entry.sign == Sign::HollowMarker ? theme_.background : theme_.mutedText);
        painter->drawPath(markerShape(entry.index, markerRadius));
        if (entry.sign == Sign::DottedMarker) {
            painter->setPen(Qt::NoPen);
            painter->setBrush(theme_.background);
            painter->drawEllipse(QPointF(), markerRadius / 3.0, markerRadius / 3.0);
        }
        break;
    case Sign::Ring:
        painter->setPen(QPen(theme_.text, 1.4));
        painter->setBrush(Qt::NoBrush);
        painter->drawEllipse(QPointF(), 7.0, 7.0);
        break;
    case Sign::FrontLine:
        painter->setPen(QPen(theme_.front, 1.6));
        painter->drawPolyline(QPolygonF({{-8.0, 4.0}, {0.0, 4.0}, {0.0, -4.0}, {8.0, -4.0}}));
        break;
    case Sign::BudgetLine:
        painter->setPen(QPen(theme_.budget, 1.6, Qt::DashLine));
        painter->drawLine(QPointF(0.0, -7.0), QPointF(0.0, 7.0));
        break;
    case Sign::Interval:
    case Sign::DottedInterval:
        painter->setPen(
            QPen(theme_.mutedText, 1.6, entry.sign == Sign::Interval ? Qt::SolidLine : Qt::DotLine));
        painter->drawLine(QPointF(0.0, -7.0), QPointF(0.0, 7.0));
        painter->setPen(QPen(theme_.mutedText, 1.6));
        painter->drawLine(QPointF(-4.0, -7.0), QPointF(4.0, -7.0));
        painter->drawLine(QPointF(-4.0, 7.0), QPointF(4.0, 7.0));
        break;
    }
    painter->restore();
}

void ChartLegend::paint(QPainter* painter, const QStyleOptionGraphicsItem* /*option*/, QWidget* /*widget*/) {
    const QFontMetricsF metrics(font_);
    painter->setRenderHint(QPainter::Antialiasing);
    for (qsizetype i = 0; i < places_.size() && i < entries_.size(); ++i) {
        const LegendEntry& entry = entries_[i];
        const bool heading = isHeading(entry);
        if (!heading)
            paintSign(painter, entry, places_[i] + QPointF(8.0, metrics.height() / 2.0));
        painter->setFont(font_);
        painter->setPen(heading ? theme_.mutedText : theme_.text);
        painter->drawText(places_[i] + QPointF(heading ? 0.0 : signWidth, metrics.ascent()), entry.text);
    }
}

} // namespace quantscope::ui
