// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_theme.h"

#include <QFont>
#include <QGraphicsItem>

namespace quantscope::ui {

/// What one entry of a legend shows before its text.
struct LegendEntry {
    enum class Sign {
        Heading,
        Swatch,
        Marker,
        HollowMarker,
        DottedMarker,
        Ring,
        FrontLine,
        BudgetLine,
        Interval,
        DottedInterval
    };
    Sign sign = Sign::Swatch;
    QString text;
    int index = 0;       ///< of the scheme (Swatch) or the marker
    qreal opacity = 1.0; ///< of a Swatch in the text's colour when index < 0
};

/// A legend that wraps into as many lines as it needs: unlike QLegend it never cuts a text or drops an entry.
class ChartLegend : public QGraphicsItem {
  public:
    explicit ChartLegend(QGraphicsItem* parent = nullptr);

    void setEntries(QList<LegendEntry> entries);
    void setStyle(const ChartTheme& theme, const QFont& font);
    /// Flows the entries into `width`; returns the height that they need.
    qreal layOut(qreal width);

    [[nodiscard]] const QList<LegendEntry>& entries() const { return entries_; }
    [[nodiscard]] QRectF boundingRect() const override;
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

  private:
    void paintSign(QPainter* painter, const LegendEntry& entry, const QPointF& centre) const;

    QList<LegendEntry> entries_;
    QList<QPointF> places_;
    QSizeF size_;
    ChartTheme theme_;
    QFont font_;
};

} // namespace quantscope::ui
