// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

namespace quantscope::stats {

/// The `percent`-th percentile (0..100, clamped) by linear interpolation between order statistics: position
/// (n - 1) percent / 100 (Hyndman and Fan 1996, type 7; the default of NumPy and R). Nothing when there is no
/// value or a value is NaN.
[[nodiscard]] std::optional<double> percentile(std::span<const double> values, double percent);

/// The same for values that are sorted in rising order already.
[[nodiscard]] std::optional<double> percentile_of_sorted(std::span<const double> sorted, double percent);

} // namespace quantscope::stats
