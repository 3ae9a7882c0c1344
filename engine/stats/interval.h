// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace quantscope::stats {

/// A closed interval on the scale of what it is about (pass@1: 0..1; a difference: -1..1).
struct Interval {
    double low = 0.0;
    double high = 0.0;
};

inline constexpr double default_confidence = 0.95;

} // namespace quantscope::stats
