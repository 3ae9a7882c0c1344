// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/holm.h"

#include <algorithm>
#include <numeric>

namespace quantscope::stats {

std::vector<HolmResult> holm(std::span<const double> p_values, double alpha) {
    const std::size_t count = p_values.size();
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p_values[a] < p_values[b]; });
    std::vector<HolmResult> results(count);
    double largest = 0.0;
    int divisor = 1;
    bool rejecting = true;
    for (std::size_t rank = 0; rank < count; ++rank) {
        const double scaled = static_cast<double>(count - rank) * p_values[order[rank]];
        largest = std::max(largest, std::min(1.0, scaled)); // never below that of a smaller p
        if (rejecting) {
            divisor = static_cast<int>(count - rank);
        }
        rejecting = rejecting && largest < alpha;
        results[order[rank]] = {largest, alpha / divisor, divisor};
    }
    return results;
}

} // namespace quantscope::stats
