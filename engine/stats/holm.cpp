// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/holm.h"

#include <algorithm>
#include <numeric>

namespace quantscope::stats {

std::vector<double> holm_adjust(std::span<const double> p_values) {
    std::vector<std::size_t> order(p_values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p_values[a] < p_values[b]; });
    std::vector<double> adjusted(p_values.size());
    double largest = 0.0;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        const double scaled = static_cast<double>(order.size() - rank) * p_values[order[rank]];
        largest = std::max(largest, std::min(1.0, scaled)); // never below that of a smaller p
        adjusted[order[rank]] = largest;
    }
    return adjusted;
}

} // namespace quantscope::stats
