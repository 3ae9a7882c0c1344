// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"

namespace quantscope {

/// What the backends of today run: integers with integers, real numbers with real numbers, and a KV cache of
/// fp16 or int8 (the CUDA backend refuses int8 by itself).
bool runs_here(const Scheme& scheme);

/// What every backend asks before it creates a session. `backend` is its name for people: "CPU".
/// Errors: unsupported (a scheme that does not run, linears too long for int32 sums), bad_input (no slot, a
/// context beyond the model's).
Expected<> check_create(const std::string& backend, const ModelConfig& config, const Scheme& scheme,
                        const SessionLimits& limits);

/// Tokens that a slot of such a session holds.
int context_of(const ModelConfig& config, const SessionLimits& limits);

} // namespace quantscope
