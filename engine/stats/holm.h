// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

namespace quantscope::stats {

/// Holm's step-down correction (Holm 1979): adjusted p values in the order given, each at most 1. Comparing
/// them with alpha bounds the chance of one false finding among all by alpha.
[[nodiscard]] std::vector<double> holm_adjust(std::span<const double> p_values);

} // namespace quantscope::stats
