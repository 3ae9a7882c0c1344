// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/backend/device_checks.h"
#include "engine/generate/generator.h"
#include "engine/model/tokenizer.h"

#include <span>

/// The selftest's comparisons of whole models.
namespace quantscope::worker {

constexpr int selftest_new_tokens = 128;

/// One scheme on the device and on the CPU, the reference.
struct Compared {
    const Scheme& scheme;
    Session& device;
    Session& cpu;
    const Tokenizer& tokenizer;
    const ModelConfig& config;
    bool random_model = false; ///< its logits lie close: any number of completions may part at near ties
};

/// A sequence's logits must be the same bits alone and among 3, 8, 32 and 64, whatever the slot.
Expected<DeviceCheck> check_batch_invariance(const Scheme& scheme, Session& session);

/// Logits after the first prompts, and after forced tokens behind them: |device - cpu| / |cpu|.
Expected<DeviceCheck> check_logits(const Compared& compared, std::span<const GenerationRequest> requests);

/// Logits behind each token of the first prompts, fed one by one. For schemes of integers: between the
/// linears every sum of a decode step has the same order on both devices, so that only lm_head's halves tell
/// them apart.
Expected<DeviceCheck> check_decode(const Compared& compared, std::span<const GenerationRequest> requests);

/// Greedy completions of all prompts: nearly all the same, and where two part, the CPU's logits of the two
/// tokens are nearly tied.
Expected<DeviceCheck> check_completions(const Compared& compared,
                                        std::span<const GenerationRequest> requests);

/// Asking for more than twice the device's memory must be answered with `oom`, and `session` must work
/// afterwards.
Expected<DeviceCheck> check_out_of_memory(Backend& backend, const Checkpoint& checkpoint,
                                          const Scheme& scheme, Session& session);

} // namespace quantscope::worker
