// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/wilson.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quantscope::stats {

double normal_quantile_two_sided(double confidence) {
    const double outside = 1.0 - std::clamp(confidence, 0.0, 1.0 - 1e-12);
    double low = 0.0;
    double high = 10.0; // P(|Z| > 10) is far below 1e-12
    for (int i = 0; i < 80; ++i) {
        const double middle = 0.5 * (low + high);
        (std::erfc(middle / std::numbers::sqrt2) > outside ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

Interval wilson_interval(double passed, int n, double confidence) {
    if (n <= 0 || !(passed >= 0) || passed > n)
        return {0.0, 1.0};
    const double z = normal_quantile_two_sided(confidence);
    const double p = passed / n;
    const double z2_n = z * z / n;
    const double centre = (p + z2_n / 2) / (1 + z2_n);
    const double half = z / (1 + z2_n) * std::sqrt(p * (1 - p) / n + z2_n / (4.0 * n));
    // The bound at 0 or n passes is exactly 0 or 1; rounding must not move it.
    return {passed == 0 ? 0.0 : std::max(0.0, centre - half),
            passed == n ? 1.0 : std::min(1.0, centre + half)};
}

} // namespace quantscope::stats
