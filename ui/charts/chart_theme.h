// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QPainterPath>
#include <QPalette>

namespace quantscope::ui {

/// The chart's colours on a light or a dark ground.
struct ChartTheme {
    bool dark = false;
    QColor background, text, mutedText, axis, grid, budget, budgetFill, front;

    static ChartTheme light();
    static ChartTheme darkGround();
    /// Light or dark by the palette's base colour, and on that very colour.
    static ChartTheme of(const QPalette& palette);

    /// The colour of the scheme that stands at `index` in the campaign; told apart with the common
    /// colour-vision deficiencies too (built on Okabe and Ito's set), and never the only sign: shape and text
    /// say the same.
    [[nodiscard]] QColor scheme(int index) const;
};

/// True when light text stands on it: Qt 6.4 has no QStyleHints::colorScheme.
bool isDark(const QPalette& palette);

/// The outline of marker `index` (one a batch size) around the origin, in a circle of `radius`.
QPainterPath markerShape(int index, qreal radius);

} // namespace quantscope::ui
