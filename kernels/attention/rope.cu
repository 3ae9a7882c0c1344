// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include "kernels/attention/rope.cuh"
#include "kernels/base/device.cuh"

namespace quantscope::kernels {
namespace {

/// Grid (heads of q, k and v; rows), half a head's threads.
__global__ void rotate_and_append_kernel(const AttentionRows r, const float* cosines, const float* sines) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const AttentionShape& s = r.shape;
    const int half = s.head_dim / 2;
    const int head = blockIdx.x;
    const int slot = r.slots[blockIdx.y];
    if (slot < 0)
        return;
    const int position = r.positions[blockIdx.y];
    float* const x = r.qkv + static_cast<std::size_t>(blockIdx.y) * s.qkv_size() + head * s.head_dim;
    const int i = threadIdx.x;
    float a = x[i];
    float b = x[i + half];
    if (head < s.heads + s.kv_heads) {
        const float cosine = cosines[static_cast<std::size_t>(position) * half + i];
        const float sine = sines[static_cast<std::size_t>(position) * half + i];
        const float2 rotated = rotate_pair(a, b, cosine, sine);
        a = rotated.x;
        b = rotated.y;
    }
    if (head < s.heads) {
        x[i] = a;
        x[i + half] = b;
        return;
    }
    const int kv_head = (head - s.heads) % s.kv_heads;
    __half* const cache = head < s.heads + s.kv_heads ? r.keys : r.values;
    __half* const to = cache + slot * s.slot_size() +
                       (static_cast<std::size_t>(kv_head) * s.context + position) * s.head_dim;
    to[i] = __float2half_rn(a);
    to[i + half] = __float2half_rn(b);
}

} // namespace

Status rotate_and_append(const AttentionRows& rows, const float* cosines, const float* sines,
                         const Launch& how) {
    const AttentionShape& s = rows.shape;
    return launch("rotate_and_append", rotate_and_append_kernel, dim3(s.heads + 2 * s.kv_heads, rows.rows),
                  dim3(s.head_dim / 2), 0, how, rows, cosines, sines);
}

} // namespace quantscope::kernels
