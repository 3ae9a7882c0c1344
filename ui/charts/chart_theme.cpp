// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_theme.h"

#include <array>
#include <cmath>
#include <numbers>

namespace quantscope::ui {

namespace {

/// A polygon of `corners`, or a star when `inner` is not 1: every second point at `inner` times the radius.
QPainterPath polygon(int corners, qreal radius, qreal startDegrees, qreal inner = 1.0) {
    const int points = inner == 1.0 ? corners : corners * 2;
    QPolygonF shape;
    for (int i = 0; i < points; ++i) {
        const qreal angle = (startDegrees + 360.0 * i / points) * std::numbers::pi / 180.0;
        const qreal r = i % 2 == 1 ? radius * inner : radius;
        shape << QPointF(r * std::cos(angle), r * std::sin(angle));
    }
    QPainterPath path;
    path.addPolygon(shape);
    path.closeSubpath();
    return path;
}

} // namespace

ChartTheme ChartTheme::light() {
    return {false,
            QColor(0xffffff),
            QColor(0x1f2328),
            QColor(0x57606a),
            QColor(0x8c959f),
            QColor(0xe4e8ec),
            QColor(0xb35900),
            QColor(0xb3, 0x59, 0x00, 18),
            QColor(0x6e7781)};
}

ChartTheme ChartTheme::darkGround() {
    return {true,
            QColor(0x1e2227),
            QColor(0xe6e9ed),
            QColor(0xa3adb8),
            QColor(0x6b7580),
            QColor(0x343a42),
            QColor(0xffb454),
            QColor(0xff, 0xb4, 0x54, 20),
            QColor(0x8f9aa6)};
}

ChartTheme ChartTheme::of(const QPalette& palette) {
    ChartTheme theme = isDark(palette) ? darkGround() : light();
    theme.background = palette.color(QPalette::Active, QPalette::Base);
    theme.text = palette.color(QPalette::Active, QPalette::Text);
    return theme;
}

QColor ChartTheme::scheme(int index) const {
    static constexpr std::array<QRgb, 9> onLight{0x333a42, 0x0072b2, 0x009e73, 0xd55e00, 0xa3478f,
                                                 0xb58900, 0x2aa1d8, 0x7a4b2a, 0x6a3fb5};
    static constexpr std::array<QRgb, 9> onDark{0xe6e9ed, 0x56b4e9, 0x2fc79b, 0xff8c4d, 0xe59bcb,
                                                0xf2c94c, 0x9ad8ff, 0xc99a76, 0xb49af0};
    const auto& colours = dark ? onDark : onLight;
    return QColor::fromRgb(colours[static_cast<std::size_t>(index) % colours.size()]);
}

bool isDark(const QPalette& palette) {
    return palette.color(QPalette::Active, QPalette::Base).lightness() <
           palette.color(QPalette::Active, QPalette::Text).lightness();
}

QPainterPath markerShape(int index, qreal radius) {
    QPainterPath path;
    switch (index % 8) {
    case 0: path.addEllipse(QPointF(), radius * 0.92, radius * 0.92); return path;
    case 1: return polygon(4, radius * 1.15, 45);
    case 2: return polygon(3, radius * 1.15, -90);
    case 3: return polygon(4, radius * 1.2, 0);
    case 4: return polygon(3, radius * 1.15, 90);
    case 5: return polygon(5, radius * 1.3, -90, 0.45);
    case 6: return polygon(6, radius * 1.05, 0);
    default: return polygon(4, radius * 1.3, 0, 0.4);
    }
}

} // namespace quantscope::ui
