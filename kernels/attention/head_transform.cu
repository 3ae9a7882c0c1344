// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/head_transform.h"

#include "kernels/base/device.cuh"
#include "kernels/rows/row_math.cuh"

namespace quantscope::kernels {
namespace {

constexpr int threads = 256;

__device__ float4 add(const float4& a, const float4& b) {
    return {__fadd_rn(a.x, b.x), __fadd_rn(a.y, b.y), __fadd_rn(a.z, b.z), __fadd_rn(a.w, b.w)};
}

/// A chain of row_math.cuh's sum: four neighbours.
__device__ float chain_of(const float4& v) {
    return __fmaf_rn(v.w, v.w, __fmaf_rn(v.z, v.z, __fmaf_rn(v.y, v.y, __fmul_rn(v.x, v.x))));
}

__device__ float4 scaled(const float4& v, float inverse, const float4& gamma) {
    return {__fmul_rn(__fmul_rn(v.x, inverse), gamma.x), __fmul_rn(__fmul_rn(v.y, inverse), gamma.y),
            __fmul_rn(__fmul_rn(v.z, inverse), gamma.z), __fmul_rn(__fmul_rn(v.w, inverse), gamma.w)};
}

/// A warp a head; a lane has four neighbours of the first 128 elements and four of the others. Grid (warps of
/// a row, rows).
__global__ void transform_heads_kernel(const HeadTransform t) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const AttentionShape& s = t.shape;
    const int head = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (head >= s.heads + 2 * s.kv_heads)
        return;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float* const x = t.qkv + static_cast<std::size_t>(blockIdx.y) * s.qkv_size() + head * s.head_dim;
    float4 v[2] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int i = half * 128 + lane * 4;
        if (i < s.head_dim)
            v[half] = *reinterpret_cast<const float4*>(x + i);
        if (i < s.head_dim && t.bias != nullptr)
            v[half] = add(v[half], *reinterpret_cast<const float4*>(t.bias + head * s.head_dim + i));
    }
    const float* const gamma = head < s.heads ? t.q_gamma : head < s.heads + s.kv_heads ? t.k_gamma : nullptr;
    float inverse = 1.0F;
    if (gamma != nullptr) { // the same for the whole warp; groups of chains beyond these two are zeros
        const float squares = __fadd_rn(sum_of_group(chain_of(v[0])), sum_of_group(chain_of(v[1])));
        inverse = inverse_rms_of(squares, s.head_dim, t.eps);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int i = half * 128 + lane * 4;
        if (i >= s.head_dim)
            continue;
        if (gamma != nullptr)
            v[half] = scaled(v[half], inverse, *reinterpret_cast<const float4*>(gamma + i));
        *reinterpret_cast<float4*>(x + i) = v[half];
    }
}

} // namespace

Status transform_heads(const HeadTransform& transform, const Launch& how) {
    const AttentionShape& s = transform.shape;
    if (s.head_dim % 32 != 0 || s.head_dim > max_head_dim)
        return {Status::Kind::unsupported, "transform_heads takes heads of multiples of 32 up to 256"};
    const int warps = s.heads + 2 * s.kv_heads;
    return launch("transform_heads", transform_heads_kernel,
                  dim3((warps * 32 + threads - 1) / threads, transform.rows), dim3(threads), 0, how,
                  transform);
}

} // namespace quantscope::kernels
