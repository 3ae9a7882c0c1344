// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/quantile_limits.h"

#include "engine/stats/beta.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantscope::stats {
namespace {

double probability(double percent) {
    return std::clamp(percent, 0.0, 100.0) / 100.0;
}

/// P(Bin(n, p) >= k): falls as k rises.
double at_least(std::size_t k, std::size_t n, double p) {
    if (k == 0) {
        return 1.0;
    }
    return k > n ? 0.0 : regularized_beta(p, static_cast<double>(k), static_cast<double>(n - k + 1));
}

} // namespace

QuantileLimits quantile_limits(std::span<const double> smallest, std::span<const double> largest,
                               double percent, double confidence) {
    const std::size_t n = smallest.size();
    if (n == 0 || n != largest.size() || std::isnan(percent)) {
        return {};
    }
    const double p = probability(percent);
    // The first rank 1..n + 1 for which `holds`, by halving; false before it, true from it on.
    const auto first_rank = [n](const auto& holds) {
        std::size_t low = 1;
        std::size_t high = n + 1;
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            holds(middle) ? high = middle : low = middle + 1;
        }
        return low;
    };
    const std::size_t above = first_rank([&](std::size_t rank) { return at_least(rank, n, p) < confidence; });
    const std::size_t below =
        first_rank([&](std::size_t rank) { return 1.0 - at_least(rank, n, p) >= confidence; });
    QuantileLimits limits;
    if (above > 1) {
        limits.low = smallest[above - 2];
    }
    if (below <= n) {
        limits.high = largest[below - 1];
    }
    return limits;
}

int values_for_upper_limit(double percent, double confidence) {
    const double p = probability(percent);
    if (p <= 0.0 || confidence <= 0.0) {
        return 1;
    }
    if (p >= 1.0 || confidence >= 1.0) {
        return std::numeric_limits<int>::max();
    }
    return std::max(1, static_cast<int>(std::ceil(std::log1p(-confidence) / std::log(p))));
}

} // namespace quantscope::stats
