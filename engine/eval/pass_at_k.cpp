// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/pass_at_k.h"

#include <algorithm>
#include <limits>

namespace quantscope::eval {

double pass_at_k(int n, int c, int k) {
    if (c < 0 || c > n || k < 1 || k > n)
        return std::numeric_limits<double>::quiet_NaN();
    double none_passes = 1.0;
    for (int i = n - c + 1; i <= n; ++i) {
        if (i <= k)
            return 1.0; // fewer than k samples fail, so that any k hold a pass
        none_passes *= 1.0 - static_cast<double>(k) / i;
    }
    return 1.0 - none_passes;
}

std::map<int, double> mean_pass_at_k(std::span<const ProblemCounts> problems) {
    std::map<int, double> means;
    if (problems.empty())
        return means;
    const int fewest = std::min_element(problems.begin(), problems.end(), [](const auto& a, const auto& b) {
                           return a.scored < b.scored;
                       })->scored;
    for (const int k : {1, 10, 100}) {
        if (k > fewest)
            break;
        double sum = 0.0;
        for (const ProblemCounts& counts : problems)
            sum += pass_at_k(counts.scored, counts.passed, k);
        means[k] = sum / static_cast<double>(problems.size());
    }
    return means;
}

} // namespace quantscope::eval
