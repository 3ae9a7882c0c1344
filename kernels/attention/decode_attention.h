// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"

namespace quantscope::kernels {

/// rotate_and_append() and attend() of split rows in one: out[m][heads * head_dim] f32, bit for bit theirs.
/// On Hopper one kernel does it where there are enough rows for a block to take a whole sequence of a kv
/// head; qkv is then left as it is. Its blocks read the cache's earlier tokens before the kernel before has
/// ended: that kernel, and what it may overlap, must write neither these nor slots and positions.
/// @param partials, splits  as attend()'s, not null
Status attend_decode(const AttentionRows& rows, const float* cosines, const float* sines, float* out,
                     float* partials, int splits, const Launch& how);

} // namespace quantscope::kernels
