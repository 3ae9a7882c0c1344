// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/stats/interval.h"

namespace quantscope::stats {

/// Wilson's score interval of a proportion, `passed` of `n` (Wilson 1927; no continuity correction). `passed`
/// need not be whole: the sum of n passing fractions, whose interval is then wider than it had to be. Unlike
/// the normal approximation it stays inside 0..1 and is not empty at 0 or n passes. Nothing known (n <= 0, or
/// passed outside 0..n) yields {0, 1}.
[[nodiscard]] Interval wilson_interval(double passed, int n, double confidence = default_confidence);

/// The two-sided normal quantile z with P(|Z| <= z) = confidence: 1.959964 at 0.95. `confidence` is clamped
/// to 0..1 - 1e-12.
[[nodiscard]] double normal_quantile_two_sided(double confidence);

} // namespace quantscope::stats
