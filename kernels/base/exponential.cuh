// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/division.cuh"

namespace quantscope::kernels {

/// e^v, the CPU engine's (engine/backend/cpu/vector_math.h) bit for bit: range reduction by ln 2, a
/// polynomial of degree 7, one rounding an operation. v is clamped to where the result is a normal number.
__device__ inline float exponential(float v) {
    constexpr float magic = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer, half to even
    v = v > -87.0F ? v : -87.0F;
    v = v < 88.0F ? v : 88.0F;
    const float shifted = __fmaf_rn(v, 1.44269504F, magic);
    const float n = __fsub_rn(shifted, magic);
    const float r = __fmaf_rn(n, 2.12194440e-4F, __fmaf_rn(n, -0.693359375F, v)); // ln 2 in two parts
    float p = __fmaf_rn(r, 1.0F / 5040.0F, 1.0F / 720.0F);
    p = __fmaf_rn(p, r, 1.0F / 120.0F);
    p = __fmaf_rn(p, r, 1.0F / 24.0F);
    p = __fmaf_rn(p, r, 1.0F / 6.0F);
    p = __fmaf_rn(p, r, 0.5F);
    p = __fmaf_rn(p, r, 1.0F);
    p = __fmaf_rn(p, r, 1.0F);
    return __int_as_float(__float_as_int(p) +
                          (__float_as_int(shifted) << 23)); // magic's bits are shifted out
}

/// silu(gate) * up, as the CPU engine's silu_multiply.
__device__ inline float silu_times(float gate, float up) {
    return __fmul_rn(__fdiv_rn(gate, __fadd_rn(1.0F, exponential(-gate))), up);
}

/// silu_times() of several: no branch between them, so that their latencies overlap. y may be gate.
template<int count>
__device__ void silu_times_all(const float (&gate)[count], const float (&up)[count], float (&y)[count]) {
    bool sure = true;
    float divisor[count];
    float quotient[count];
#pragma unroll
    for (int i = 0; i < count; ++i) {
        divisor[i] = __fadd_rn(1.0F, exponential(-gate[i]));
        quotient[i] = quotient_if(gate[i], divisor[i], sure);
    }
    if (!sure) {
#pragma unroll
        for (int i = 0; i < count; ++i)
            quotient[i] = __fdiv_rn(gate[i], divisor[i]);
    }
#pragma unroll
    for (int i = 0; i < count; ++i)
        y[i] = __fmul_rn(quotient[i], up[i]);
}

} // namespace quantscope::kernels
