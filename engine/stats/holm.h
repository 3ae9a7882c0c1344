// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

namespace quantscope::stats {

/// Holm's decision on one of several comparisons.
struct HolmResult {
    double adjusted_p = 1.0; ///< at most 1; below alpha where "no difference" is rejected
    /// The comparison's own level, alpha / `divisor`: an interval at this level leaves out 0 exactly where
    /// Holm rejects, if interval and p are one method.
    double level = 0.0;
    int divisor = 1;
};

/// Holm's step-down correction (Holm 1979, Scandinavian Journal of Statistics 6:65-70), in the order given.
/// Comparing adjusted p values with alpha bounds the chance of one false finding among all by alpha. Of m
/// comparisons the j-th smallest p, when rejected, was tested at alpha / (m - j + 1); those that are not
/// rejected all stand at alpha / (m - rejected). The intervals of the latter and the signs of the former hold
/// together at 1 - alpha (Strassburger and Bretz 2008, Statistics in Medicine 27:4914-4927); the far end of
/// the interval of a rejected one holds at its own level.
[[nodiscard]] std::vector<HolmResult> holm(std::span<const double> p_values, double alpha);

} // namespace quantscope::stats
