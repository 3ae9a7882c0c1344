// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/launch.h"
#include "kernels/gemm/packed_weights.h"

#include <cstdint>

/// Where tokens become numbers and numbers tokens.
namespace quantscope::kernels {

/// Instead of the index of the largest logit: one of the row is NaN or infinite.
constexpr std::int32_t not_finite_id = -2;

/// Lists [lists][capacity] of a pass's rows, of which a kernel copies what belongs to its rows; small ones
/// cost less this way, out of the host's pinned memory, than as a copy of their own.
struct RowCopy {
    const std::int32_t* from = nullptr;
    std::int32_t* to = nullptr;
    int capacity = 0;
    int lists = 0; ///< at most 256
};

/// out[m][:] = row tokens[m] of an f16 table [vocab][hidden], which may be the packed lm_head (tied
/// embeddings).
Status embed_tokens(const PackedWeights& table, const std::int32_t* tokens, int rows, float* out,
                    const Launch& how, const RowCopy& copy = {});

/// ids[m] = index of the largest of logits[m][0 .. count), the lowest on a tie; not_finite_id where one is
/// not finite. `ids` may be the host's pinned memory.
Status largest_logits(const float* logits, int rows, int count, std::int32_t* ids, const Launch& how);

} // namespace quantscope::kernels
