// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/bootstrap.h"

#include "engine/stats/percentile.h"

#include <algorithm>
#include <random>
#include <vector>

namespace quantscope::stats {

std::optional<Interval> paired_bootstrap_interval(std::span<const double> baseline,
                                                  std::span<const double> other,
                                                  const BootstrapOptions& options) {
    const std::size_t n = baseline.size();
    if (n == 0 || n != other.size() || options.resamples < 1)
        return std::nullopt;
    std::vector<double> differences(n);
    for (std::size_t i = 0; i < n; ++i)
        differences[i] = other[i] - baseline[i];

    std::mt19937_64 random(options.seed);
    std::vector<double> means(static_cast<std::size_t>(options.resamples));
    for (double& mean : means) {
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            // 32 random bits scaled to 0..n-1: std::uniform_int_distribution differs between standard
            // libraries.
            sum += differences[((random() >> 32) * n) >> 32];
        }
        mean = sum / static_cast<double>(n);
    }
    std::sort(means.begin(), means.end());
    const double tail = 50.0 * (1.0 - std::clamp(options.confidence, 0.0, 1.0)); // percent on each side
    return Interval{*percentile_of_sorted(means, tail), *percentile_of_sorted(means, 100.0 - tail)};
}

} // namespace quantscope::stats
