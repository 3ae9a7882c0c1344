// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

/// IEEE divisions without the compiler's branch to where numbers are huge or tiny: the same operations as it
/// has for all others (nvcc 13, by machine code), so that quotients are rounded once.
namespace quantscope::kernels {

/// 1 / d, refined once, as quotient_by() wants it; 2^-100 <= |d| <= 2^100.
__device__ inline float reciprocal_for(float d) {
    float y = 0.0F;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(d));
    return __fmaf_rn(y, __fmaf_rn(-d, y, 1.0F), y);
}

/// a / d, where 2^-100 <= |a| <= 2^100 or a is 0; of a smaller a only the size is right.
/// @param reciprocal  reciprocal_for(d)
__device__ inline float quotient_by(float a, float d, float reciprocal) {
    const float q = __fmul_rn(a, reciprocal);
    return __fmaf_rn(reciprocal, __fmaf_rn(-d, q, a), q);
}

/// a / d where 2^-100 <= |a| <= 2^100 and 1 <= d <= 2^100 (`sure` stays as it was); else `sure` becomes
/// false.
__device__ inline float quotient_if(float a, float d, bool& sure) {
    constexpr float most = 0x1p100F;
    sure &= fabsf(a) >= 1.0F / most && fmaxf(fabsf(a), d) <= most;
    return quotient_by(a, d, reciprocal_for(d));
}

} // namespace quantscope::kernels
