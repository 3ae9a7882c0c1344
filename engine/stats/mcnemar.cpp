// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/mcnemar.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quantscope::stats {

double mcnemar_exact(int lost, int gained) {
    lost = std::max(lost, 0);
    gained = std::max(gained, 0);
    const int n = lost + gained;
    const int fewer = std::min(lost, gained);
    // log C(n, i), built up term by term: 2^-n underflows for large n, its logarithm does not.
    double log_choose = 0.0;
    double tail = 0.0;
    for (int i = 0; i <= fewer; ++i) {
        if (i > 0)
            log_choose += std::log(static_cast<double>(n - i + 1) / i);
        tail += std::exp(log_choose - n * std::numbers::ln2);
    }
    return std::min(1.0, 2.0 * tail);
}

} // namespace quantscope::stats
