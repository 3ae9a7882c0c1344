// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/stats/interval.h"

namespace quantscope::stats {

enum class Difference { better, worse, equivalent, not_distinguishable };

inline constexpr double default_alpha = 0.05;

/// How a run's pass@1 differs from its baseline's, read off the interval of the difference alone (run minus
/// baseline, -1..1; where several comparisons are made, at Holm's level, see holm.h), so that the sentence
/// and the interval beside it never disagree. better, worse: the interval lies wholly on one side of 0. Else
/// equivalent: it lies inside [-margin, margin], a margin stated before looking (0.02 is 2 points). Else not
/// distinguishable. A difference inside the margin is still called better or worse: the margin never hides a
/// loss. NaN anywhere is not distinguishable.
[[nodiscard]] Difference judge_difference(Interval interval, double margin);

} // namespace quantscope::stats
