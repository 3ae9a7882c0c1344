// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/stats/interval.h"

#include <string>

namespace quantscope::stats {

enum class Difference { better, worse, equivalent, not_distinguishable };

inline constexpr double default_alpha = 0.05;

/// How a run's pass@1 differs from its baseline's. `interval`: of the difference, run minus baseline, -1..1.
/// `margin`: stated before looking, 0..1 (0.02 is 2 points). `corrected_p`: McNemar's, after Holm. better,
/// worse: corrected_p < alpha and the interval lies wholly on one side of 0. Else equivalent: the interval
/// lies inside [-margin, margin]. Else not distinguishable. A significant difference inside the margin is
/// still called better or worse: the margin never hides a loss. NaN anywhere is not distinguishable.
[[nodiscard]] Difference judge_difference(Interval interval, double margin, double corrected_p,
                                          double alpha = default_alpha);

/// "better", "worse", "equivalent within the margin of 2 points", "not distinguishable on these problems".
[[nodiscard]] std::string verdict_sentence(Interval interval, double margin, double corrected_p,
                                           double alpha = default_alpha);

} // namespace quantscope::stats
