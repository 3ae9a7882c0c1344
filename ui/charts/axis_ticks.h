// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QString>

namespace quantscope::ui {

/// An axis as the chart draws it. On a log axis `low`, `high` and the positions are still values, not
/// logarithms.
struct AxisTicks {
    struct Tick {
        double value = 0.0;
        QString text;
    };
    double low = 0.0;
    double high = 1.0;
    bool log = false;
    QList<Tick> ticks;

    /// 0 at the low end, 1 at the high end; outside of [0, 1] for what the axis does not show.
    [[nodiscard]] double fraction(double value) const;
    [[nodiscard]] bool contains(double value) const;
};

/// Round steps of 1, 2 or 5 times a power of ten around [low, high], about `count` of them.
AxisTicks linearTicks(double low, double high, int count = 6);

/// The same over decades: 1, 2, 5, 10, … where few decades are shown, powers of ten where many are. Needs low
/// > 0.
AxisTicks logTicks(double low, double high);

} // namespace quantscope::ui
