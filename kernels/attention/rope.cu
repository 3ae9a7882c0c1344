// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include "kernels/attention/rope.cuh"
#include "kernels/base/device.cuh"
#include "kernels/rows/row_math.cuh"

namespace quantscope::kernels {
namespace {

constexpr int threads = 256;

/// Four elements i .. i + 3 of a head's first half, and those of its second half.
struct HeadPart {
    float4 a;
    float4 b;
};

/// Of head number `head` among q, k and v; q and k rotated.
__device__ HeadPart rotated_part(const AttentionShape& s, const float* x, int head, int position, int i,
                                 const float* cosines, const float* sines) {
    const int half = s.head_dim / 2;
    float4 a = *reinterpret_cast<const float4*>(x);
    float4 b = *reinterpret_cast<const float4*>(x + half);
    if (head < s.heads + s.kv_heads) {
        const std::size_t angle = static_cast<std::size_t>(position) * half + i;
        const float4 cosine = *reinterpret_cast<const float4*>(cosines + angle);
        const float4 sine = *reinterpret_cast<const float4*>(sines + angle);
        rotate_four(a, b, cosine, sine);
    }
    return {a, b};
}

/// The token of the cache, among all heads' tokens, that a head of k or v is.
__device__ std::size_t token_of(const AttentionShape& s, int head, int slot, int position) {
    return (static_cast<std::size_t>(slot) * s.kv_heads + (head - s.heads) % s.kv_heads) * s.context +
           position;
}

/// A thread a part. Grid (parts of a row, rows).
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
    const HeadPart part = rotated_part(s, x, head, position, i, cosines, sines);
    if (head < s.heads) {
        *reinterpret_cast<float4*>(x) = part.a;
        *reinterpret_cast<float4*>(x + half) = part.b;
        return;
    }
    __half* const cache = head < s.heads + s.kv_heads ? r.keys : r.values;
    __half* const to = cache + token_of(s, head, slot, position) * s.head_dim + i;
    const auto store = [](__half* at, const float4& v) {
        alignas(8) const __half2 pairs[2] = {__floats2half2_rn(v.x, v.y), __floats2half2_rn(v.z, v.w)};
        *reinterpret_cast<uint2*>(at) = *reinterpret_cast<const uint2*>(pairs);
    };
    store(to, part.a);
    store(to + half, part.b);
}

/// Lanes that share a head, so that its scale is found within a warp: a power of two.
__host__ __device__ constexpr int lanes_a_head(int head_dim) {
    int lanes = 4;
    while (lanes < head_dim / 8)
        lanes *= 2;
    return lanes;
}

__device__ float largest_magnitude(const HeadPart& part) {
    const auto largest = [](const float4& v) {
        return max_or_nan(max_or_nan(fabsf(v.x), fabsf(v.y)), max_or_nan(fabsf(v.z), fabsf(v.w)));
    };
    return max_or_nan(largest(part.a), largest(part.b));
}

/// The same for a cache of codes; lanes_a_head(head_dim) threads a head.
__global__ void rotate_and_append_codes_kernel(const AttentionRows r, const float* cosines,
                                               const float* sines) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const AttentionShape& s = r.shape;
    const int half = s.head_dim / 2;
    const int lanes = lanes_a_head(s.head_dim);
    const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int head = item / lanes;
    const int i = item % lanes * 4;
    const bool active = head < s.heads + 2 * s.kv_heads && i < half;
    const int slot = r.slots[blockIdx.y];
    if (slot < 0)
        return;
    const int position = r.positions[blockIdx.y];
    float* const x = r.qkv + static_cast<std::size_t>(blockIdx.y) * s.qkv_size() + head * s.head_dim + i;
    HeadPart part{};
    if (active)
        part = rotated_part(s, x, head, position, i, cosines, sines);
    float largest = largest_magnitude(part);
    for (int offset = lanes / 2; offset > 0; offset /= 2)
        largest = max_or_nan(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, offset));
    if (!active)
        return;
    if (head < s.heads) {
        *reinterpret_cast<float4*>(x) = part.a;
        *reinterpret_cast<float4*>(x + half) = part.b;
        return;
    }
    const float scale = scale_of(largest, 1.0F, 127.0F);
    const bool is_key = head < s.heads + s.kv_heads;
    const std::size_t token = token_of(s, head, slot, position);
    std::int8_t* const to = (is_key ? r.key_codes : r.value_codes) + token * s.head_dim + i;
    const auto store = [scale](std::int8_t* at, const float4& v) {
        *reinterpret_cast<char4*>(at) = {code_of(v.x, scale, 127.0F), code_of(v.y, scale, 127.0F),
                                         code_of(v.z, scale, 127.0F), code_of(v.w, scale, 127.0F)};
    };
    store(to, part.a);
    store(to + half, part.b);
    if (i == 0)
        (is_key ? r.key_scales : r.value_scales)[token] = scale;
}

} // namespace

Status rotate_and_append(const AttentionRows& rows, const float* cosines, const float* sines,
                         const Launch& how) {
    const AttentionShape& s = rows.shape;
    const bool codes = rows.key_codes != nullptr;
    const int heads = s.heads + 2 * s.kv_heads;
    const int items = heads * (codes ? lanes_a_head(s.head_dim) : s.head_dim / 8);
    return launch("rotate_and_append", codes ? rotate_and_append_codes_kernel : rotate_and_append_kernel,
                  dim3((items + threads - 1) / threads, rows.rows), dim3(threads), 0, how, rows, cosines,
                  sines);
}

} // namespace quantscope::kernels
