// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace quantscope {

/// A real-time limit on latency. An unset limit does not constrain.
struct BudgetPreset {
    std::string_view id;
    std::string_view name;
    std::string_view source; ///< where the limits come from
    std::optional<double> ttft_p99_ms;
    std::optional<double> tpot_p99_ms;
    std::optional<double> e2e_p99_ms; ///< prompt and `e2e_tokens` output tokens
    int e2e_tokens = 0;
};

/// The presets, in the order in which they are shown.
std::span<const BudgetPreset> budget_presets();

/// The preset with this id, or nullptr.
const BudgetPreset* find_budget(std::string_view id);

} // namespace quantscope
