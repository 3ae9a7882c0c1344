// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

namespace quantscope::kernels {

/// Elements i and i + head_dim / 2 of a head, rotated; one rounding an operation, as on the CPU.
__device__ inline float2 rotate_pair(float a, float b, float cosine, float sine) {
    return {__fmaf_rn(a, cosine, -__fmul_rn(b, sine)), __fmaf_rn(b, cosine, __fmul_rn(a, sine))};
}
/// Four neighbours of either half.
__device__ inline void rotate_four(float4& a, float4& b, const float4& cosine, const float4& sine) {
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

} // namespace quantscope::kernels
