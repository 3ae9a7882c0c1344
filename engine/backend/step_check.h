// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"

namespace quantscope {

/// What a session was made for, as far as a step's inputs must fit it.
struct StepLimits {
    std::span<const int> lengths; ///< tokens that each slot holds
    int context_length = 0;
    int vocab_size = 0;
};

/// Errors: bad_input (slot out of range or given twice, no tokens, context full, token outside the
/// vocabulary), internal (room for another number of outputs than expected).
Expected<> check_step(const StepLimits& limits, std::span<const SlotInput> inputs, std::size_t outputs,
                      std::size_t expected_outputs);

} // namespace quantscope
