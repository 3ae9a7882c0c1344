// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/axis_ticks.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace quantscope::ui {

namespace {

double niceStep(double rough) {
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (rough <= factor * power * 1.0001)
            return factor * power;
    return 10.0 * power;
}

QString tickText(double value, double step) {
    const int decimals = step >= 1.0 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
    return QString::number(value, 'f', std::min(decimals, 6));
}

/// The 1-2-5 (or 1) positions from the last at or below `low` to the first at or above `high`.
QList<double> decadeMarks(double low, double high, bool onlyPowers) {
    static constexpr std::array factors{1.0, 2.0, 5.0};
    QList<double> marks;
    for (int exponent = static_cast<int>(std::floor(std::log10(low))) - 1;
         std::pow(10.0, exponent - 1) < high; ++exponent)
        for (const double factor : factors)
            if (factor == 1.0 || !onlyPowers)
                marks += factor * std::pow(10.0, exponent);
    const auto first = std::upper_bound(marks.begin(), marks.end(), low * 1.0001) - 1;
    const auto last = std::lower_bound(marks.begin(), marks.end(), high * 0.9999);
    return {first, last == marks.end() ? last : last + 1};
}

} // namespace

double AxisTicks::fraction(double value) const {
    if (log)
        return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
    return (value - low) / (high - low);
}

bool AxisTicks::contains(double value) const {
    if (!std::isfinite(value) || (log && value <= 0.0))
        return false;
    const double at = fraction(value);
    return at >= -1e-9 && at <= 1.0 + 1e-9;
}

AxisTicks linearTicks(double low, double high, int count) {
    if (!(high > low))
        high = low + (low == 0.0 ? 1.0 : std::abs(low) * 0.1);
    const double step = niceStep((high - low) / std::max(1, count));
    AxisTicks axis;
    const double first = std::floor(low / step + 1e-9);
    const double last = std::ceil(high / step - 1e-9);
    axis.low = first * step;
    axis.high = last * step;
    const int steps = static_cast<int>(std::lround(last - first));
    for (int i = 0; i <= steps; ++i)
        axis.ticks += {(first + i) * step, tickText((first + i) * step, step)};
    return axis;
}

AxisTicks logTicks(double low, double high) {
    AxisTicks axis;
    axis.log = true;
    const QList<double> marks = decadeMarks(low, std::max(high, low * 1.01), high / low > 1e4);
    axis.low = marks.first();
    axis.high = marks.last();
    for (const double mark : marks)
        axis.ticks += {mark, tickText(mark, std::pow(10.0, std::floor(std::log10(mark) + 1e-9)))};
    return axis;
}

} // namespace quantscope::ui
