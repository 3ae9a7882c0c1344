// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

namespace quantscope::kernels {

/// Elements i and i + head_dim / 2 of a head, rotated; one rounding an operation, as on the CPU.
__device__ inline float2 rotate_pair(float a, float b, float cosine, float sine) {
    return {__fmaf_rn(a, cosine, -__fmul_rn(b, sine)), __fmaf_rn(b, cosine, __fmul_rn(a, sine))};
}

} // namespace quantscope::kernels
