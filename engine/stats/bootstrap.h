// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/stats/interval.h"

#include <cstdint>
#include <optional>
#include <span>

namespace quantscope::stats {

struct BootstrapOptions {
    int resamples = 10000;
    std::uint64_t seed = 20240601; ///< fixed, so that the same data give the same interval everywhere
    double confidence = default_confidence;
};

/// Percentile bootstrap interval of mean(other) - mean(baseline), resampling problems, so that a problem's
/// two results stay together (Efron and Tibshirani 1993, chapter 13). Element i of both spans belongs to the
/// same problem: 0 or 1, or the passing fraction of its samples. Nothing when the spans are empty or differ
/// in size, or resamples < 1. Same input and seed give the same interval on every machine.
[[nodiscard]] std::optional<Interval> paired_bootstrap_interval(std::span<const double> baseline,
                                                                std::span<const double> other,
                                                                const BootstrapOptions& options = {});

} // namespace quantscope::stats
