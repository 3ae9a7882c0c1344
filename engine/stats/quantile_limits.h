// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/stats/interval.h"

#include <optional>
#include <span>

namespace quantscope::stats {

/// Limits of an unknown quantile; each is wrong with a chance of at most 1 - confidence. Unset: so few values
/// cannot tell.
struct QuantileLimits {
    std::optional<double> low;
    std::optional<double> high;
};

/// Distribution-free limits from order statistics (Hahn and Meeker 1991, "Statistical intervals", chapter 5):
/// of n independent values the number below the p quantile is Bin(n, p). `low` is the largest order statistic
/// of `smallest` that the quantile is above with that confidence, `high` the smallest of `largest` that it is
/// below. Both spans sorted in rising order and of the same size n.
///
/// Values that come in groups (the requests of one batch share its steps) are not independent, but groups
/// are. Pass each group's smallest value as `smallest`, its largest as `largest`: a value above x is no rarer
/// than a group all above x and no more frequent than a group with one above x, so the limits hold for the
/// values whatever their dependence within a group. For groups of one, pass the values twice.
[[nodiscard]] QuantileLimits quantile_limits(std::span<const double> smallest,
                                             std::span<const double> largest, double percent,
                                             double confidence = default_confidence);

/// The fewest independent values that give an upper limit: 299 for the 99th percentile at 95 %.
[[nodiscard]] int values_for_upper_limit(double percent, double confidence = default_confidence);

} // namespace quantscope::stats
