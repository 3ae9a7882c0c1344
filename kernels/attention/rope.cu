// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include "kernels/attention/rope.cuh"
#include "kernels/base/device.cuh"

namespace quantscope::kernels {
namespace {

constexpr int threads = 256;

/// Four elements i .. i + 3 of a head's first half and those of its second half, a thread. Grid (parts of a
/// row, rows).
__global__ void rotate_and_append_kernel(const AttentionRows r, const float* cosines, const float* sines) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const AttentionShape& s = r.shape;
    const int half = s.head_dim / 2;
    const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int head = item / (half / 4);
    const int i = item % (half / 4) * 4;
    const int slot = r.slots[blockIdx.y];
    if (slot < 0 || head >= s.heads + 2 * s.kv_heads)
        return;
    const int position = r.positions[blockIdx.y];
    float* const x = r.qkv + static_cast<std::size_t>(blockIdx.y) * s.qkv_size() + head * s.head_dim + i;
    float4 a = *reinterpret_cast<const float4*>(x);
    float4 b = *reinterpret_cast<const float4*>(x + half);
    if (head < s.heads + s.kv_heads) {
        const std::size_t angle = static_cast<std::size_t>(position) * half + i;
        const float4 cosine = *reinterpret_cast<const float4*>(cosines + angle);
        const float4 sine = *reinterpret_cast<const float4*>(sines + angle);
        const auto rotate = [](float& first, float& second, float c, float s) {
            const float2 rotated = rotate_pair(first, second, c, s);
            first = rotated.x;
            second = rotated.y;
        };
        rotate(a.x, b.x, cosine.x, sine.x);
        rotate(a.y, b.y, cosine.y, sine.y);
        rotate(a.z, b.z, cosine.z, sine.z);
        rotate(a.w, b.w, cosine.w, sine.w);
    }
    if (head < s.heads) {
        *reinterpret_cast<float4*>(x) = a;
        *reinterpret_cast<float4*>(x + half) = b;
        return;
    }
    const int kv_head = (head - s.heads) % s.kv_heads;
    __half* const cache = head < s.heads + s.kv_heads ? r.keys : r.values;
    __half* const to = cache + slot * s.slot_size() +
                       (static_cast<std::size_t>(kv_head) * s.context + position) * s.head_dim + i;
    const auto store = [](__half* at, const float4& v) {
        alignas(8) const __half2 pairs[2] = {__floats2half2_rn(v.x, v.y), __floats2half2_rn(v.z, v.w)};
        *reinterpret_cast<uint2*>(at) = *reinterpret_cast<const uint2*>(pairs);
    };
    store(to, a);
    store(to + half, b);
}

} // namespace

Status rotate_and_append(const AttentionRows& rows, const float* cosines, const float* sines,
                         const Launch& how) {
    const AttentionShape& s = rows.shape;
    const int items = (s.heads + 2 * s.kv_heads) * s.head_dim / 8;
    return launch("rotate_and_append", rotate_and_append_kernel,
                  dim3((items + threads - 1) / threads, rows.rows), dim3(threads), 0, how, rows, cosines,
                  sines);
}

} // namespace quantscope::kernels
