// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/percentile.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace quantscope::stats {

std::optional<double> percentile_of_sorted(std::span<const double> sorted, double percent) {
    if (sorted.empty() || std::isnan(percent))
        return std::nullopt;
    const double position = std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const double fraction = position - static_cast<double>(below);
    return fraction == 0.0 ? sorted[below] : sorted[below] + fraction * (sorted[above] - sorted[below]);
}

std::optional<double> percentile(std::span<const double> values, double percent) {
    if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); }))
        return std::nullopt;
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    return percentile_of_sorted(sorted, percent);
}

} // namespace quantscope::stats
