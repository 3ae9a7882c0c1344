// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/budget.h"

#include <algorithm>
#include <array>

namespace quantscope {
namespace {

constexpr std::array presets = {
    BudgetPreset{.id = "chat",
                 .name = "Interactive chat",
                 .source = "MLPerf Inference, Llama-2-70B interactive",
                 .ttft_p99_ms = 450.0,
                 .tpot_p99_ms = 40.0,
                 .e2e_p99_ms = std::nullopt,
                 .e2e_tokens = 0},
    BudgetPreset{.id = "inline",
                 .name = "Inline code completion",
                 .source = "the prompt and 30 tokens before a typist's next key",
                 .ttft_p99_ms = std::nullopt,
                 .tpot_p99_ms = std::nullopt,
                 .e2e_p99_ms = 200.0,
                 .e2e_tokens = 30},
};

} // namespace

std::span<const BudgetPreset> budget_presets() {
    return presets;
}

const BudgetPreset* find_budget(std::string_view id) {
    const auto* found = std::find_if(presets.begin(), presets.end(),
                                     [&](const BudgetPreset& preset) { return preset.id == id; });
    return found == presets.end() ? nullptr : found;
}

} // namespace quantscope
