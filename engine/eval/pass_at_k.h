// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>

namespace quantscope::eval {

/// Samples of one problem: `scored` verdicts of which `passed` passed.
struct ProblemCounts {
    int scored = 0;
    int passed = 0;
};

/// Unbiased estimate of the chance that at least one of k samples passes, given c passes among n:
/// 1 - prod_{i=n-c+1..n} (1 - k/i), from Chen et al. 2021, "Evaluating Large Language Models Trained on
/// Code", equation 1. Requires 0 <= c <= n and 1 <= k <= n; anything else yields NaN.
[[nodiscard]] double pass_at_k(int n, int c, int k);

/// The mean over problems for each k in {1, 10, 100} for which every problem has at least k scored samples.
/// Empty when `problems` is empty or a problem has no scored sample.
[[nodiscard]] std::map<int, double> mean_pass_at_k(std::span<const ProblemCounts> problems);

} // namespace quantscope::eval
