// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/launch.h"
#include "kernels/gemm/packed_weights.h"

#include <cstdint>

/// Where tokens become numbers and numbers tokens.
namespace quantscope::kernels {

/// out[m][:] = row tokens[m] of an f16 table [vocab][hidden], which may be the packed lm_head (tied
/// embeddings).
Status embed_tokens(const PackedWeights& table, const std::int32_t* tokens, int rows, float* out,
                    const Launch& how);

/// ids[m] = index of the largest of logits[m][0 .. count); the lowest on a tie, NaN never.
Status largest_logits(const float* logits, int rows, int count, std::int32_t* ids, const Launch& how);

} // namespace quantscope::kernels
