// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/create_check.h"

#include <algorithm>
#include <fmt/format.h>

namespace quantscope {
namespace {

/// Of a linear. Codes are up to 127 (255 where the CPU's kernels shift them), and 255 * 127 * 65536 < 2^31:
/// no int32 sum can overflow.
constexpr int max_inputs = 65'536;

} // namespace

bool runs_here(const Scheme& scheme) {
    const bool weights_real = scheme.weights == Precision::fp16;
    const bool activations_real = scheme.activations == Precision::fp16;
    return weights_real == activations_real && scheme.kv_cache != Precision::int4;
}

Expected<> check_create(const std::string& backend, const ModelConfig& config, const Scheme& scheme,
                        const SessionLimits& limits) {
    if (!runs_here(scheme)) {
        return make_error(
            ErrorCode::unsupported,
            fmt::format("The {} backend cannot run scheme {}: it multiplies integers with integers or real "
                        "numbers with real numbers, and holds the KV cache as fp16 or int8.",
                        backend, scheme.id));
    }
    if (limits.max_slots < 1 || limits.context_length < 0) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("A session needs at least 1 slot and a context of 0 (the model's own) or more; "
                        "got {} slots and a context of {}.",
                        limits.max_slots, limits.context_length));
    }
    if (limits.context_length > config.max_position_embeddings) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("A context of {} tokens was asked for, but model {} goes up to {}.",
                                      limits.context_length, config.name, config.max_position_embeddings),
                          "Ask for a shorter context.");
    }
    if (std::max(config.hidden_size, config.intermediate_size) > max_inputs) {
        return make_error(
            ErrorCode::unsupported,
            fmt::format("Model {} has linears with more than {} inputs, for which int32 sums could overflow.",
                        config.name, max_inputs));
    }
    return {};
}

int context_of(const ModelConfig& config, const SessionLimits& limits) {
    return limits.context_length > 0 ? limits.context_length : config.max_position_embeddings;
}

} // namespace quantscope
