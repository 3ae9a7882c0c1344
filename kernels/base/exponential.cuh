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

/// What silu_times_all() takes `up` times.
constexpr float silu_unit = 0x1p-28F;

/// silu_times() of several: no branch between them, so that their latencies overlap, and none at all. The
/// divisor 1 + e^-gate, at most 2^127, stands times silu_unit, where its reciprocal is a normal number; all
/// else is the compiler's division, so that quotients are rounded as there where gate is 0 (but for a zero's
/// sign) or 2^-100 <= |gate| <= 2^99.
/// @param up  times silu_unit; y may be gate
template<int count>
__device__ void silu_times_all(const float (&gate)[count], const float (&up)[count], float (&y)[count]) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
        const float divisor = __fmaf_rn(exponential(-gate[i]), silu_unit, silu_unit);
        y[i] = __fmul_rn(quotient_by(gate[i], divisor, reciprocal_for(divisor)), up[i]);
    }
}

} // namespace quantscope::kernels
