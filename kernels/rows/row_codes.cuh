// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/division.cuh"
#include "kernels/rows/row_math.cuh"

namespace quantscope::kernels {

/// scale_of(), where numbers are usual without the branches of a division.
__device__ inline float quick_scale_of(float largest, float clip, float q) {
    const float range = __fmul_rn(largest, clip);
    if (range > 1e-25F && range < 1e25F)
        return quotient_by(range, q, reciprocal_for(q));
    return scale_of(largest, clip, q);
}

/// code_of() of many numbers with one scale. No branch depends on a single number: code that is seldom run is
/// not in the instruction cache, and what one block waits for, others may wait for too.
class RowCoder {
  public:
    __device__ RowCoder(float scale, float q)
        : scale_(scale), q_(q), inverse_(reciprocal_for(scale)), usual_(scale > 1e-27F && scale < 1e27F) {}

    /// Codes of n numbers, four to a word. NaN becomes -q, as by code_of().
    template<int n>
    __device__ void code(const float (&x)[n], std::uint32_t (&words)[n / 4]) const {
        if (!usual_) {
#pragma unroll
            for (int i = 0; i < n / 4; ++i)
                words[i] = exact({x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]}, scale_, q_);
            return;
        }
        std::uint32_t bits[n];
#pragma unroll
        for (int i = 0; i < n; ++i)
            bits[i] = rounded(x[i]);
#pragma unroll
        for (int i = 0; i < n / 4; ++i)
            words[i] = __byte_perm(__byte_perm(bits[4 * i], bits[4 * i + 1], 0x0040),
                                   __byte_perm(bits[4 * i + 2], bits[4 * i + 3], 0x0040), 0x5410);
    }

    __device__ std::uint32_t four(const float4& v) const {
        const float x[4] = {v.x, v.y, v.z, v.w};
        std::uint32_t word[1];
        code(x, word);
        return word[0];
    }

  private:
    /// The code in the lowest byte. A number so small that its quotient is not exact becomes 0 either way.
    __device__ std::uint32_t rounded(float x) const {
        constexpr float magic = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer, half to even
        const float quotient = quotient_by(x, scale_, inverse_);
        return __float_as_uint(__fadd_rn(fminf(fmaxf(quotient, -q_), q_), magic));
    }

    static __device__ __noinline__ std::uint32_t exact(float4 v, float scale, float q) {
        const auto byte = [&](float x) {
            return static_cast<std::uint32_t>(static_cast<std::uint8_t>(code_of(x, scale, q)));
        };
        return byte(v.x) | byte(v.y) << 8U | byte(v.z) << 16U | byte(v.w) << 24U;
    }

    float scale_;
    float q_;
    float inverse_;
    bool usual_; ///< the scale is neither tiny nor huge
};

} // namespace quantscope::kernels
