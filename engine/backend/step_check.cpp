// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/step_check.h"

#include <fmt/format.h>

namespace quantscope {
namespace {

Expected<> check_tokens(const StepLimits& limits, const SlotInput& input) {
    const int length = limits.lengths[static_cast<std::size_t>(input.slot)];
    if (length + static_cast<std::int64_t>(input.tokens.size()) > limits.context_length) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("Slot {} holds {} tokens and cannot take {} more: the context length is {}.",
                        input.slot, length, input.tokens.size(), limits.context_length),
            "Use a shorter prompt, fewer new tokens or a longer context.");
    }
    for (const std::int32_t token : input.tokens) {
        if (token < 0 || token >= limits.vocab_size) {
            return make_error(
                ErrorCode::bad_input,
                fmt::format("Token id {} is outside the model's vocabulary of {}.", token, limits.vocab_size),
                "The tokenizer does not belong to this model.");
        }
    }
    return {};
}

} // namespace

Expected<> check_step(const StepLimits& limits, std::span<const SlotInput> inputs, std::size_t outputs,
                      std::size_t expected_outputs) {
    if (outputs != expected_outputs) {
        return make_error(ErrorCode::internal,
                          fmt::format("step() got room for {} outputs; {} inputs need {}.", outputs,
                                      inputs.size(), expected_outputs));
    }
    std::vector<bool> seen(limits.lengths.size(), false);
    for (const SlotInput& input : inputs) {
        if (input.slot < 0 || static_cast<std::size_t>(input.slot) >= limits.lengths.size()) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("Slot {} does not exist: this session has slots 0 to {}.",
                                          input.slot, limits.lengths.size() - 1));
        }
        const auto slot = static_cast<std::size_t>(input.slot);
        if (seen[slot] || input.tokens.empty()) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("Slot {} {}.", input.slot,
                                          seen[slot] ? "is given twice in one step" : "is given no tokens"));
        }
        seen[slot] = true;
        if (auto ok = check_tokens(limits, input); !ok) {
            return ok;
        }
    }
    return {};
}

} // namespace quantscope
