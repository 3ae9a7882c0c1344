// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/rows/row_math.cuh"

#include <cmath>

namespace quantscope::kernels {

/// code_of() of many numbers with one scale, four at a time. v / s is taken as v * (1 / s) unless that comes
/// so near to where rounding turns that the last bits of the quotient matter: the product is wrong by at most
/// 1.5 units in the last place, 2.3e-5 at 127.
class RowCoder {
  public:
    __device__ RowCoder(float scale, float q) : scale_(scale), q_(q) {
        trusted_ = scale > 1e-30F && scale < 1e30F && q <= 127.0F;
        inverse_ = trusted_ ? __fdiv_rn(1.0F, scale) : 0.0F;
    }

    /// Codes of v, a byte each.
    __device__ std::uint32_t four(const float4& v) const {
        bool sure = trusted_;
        const std::uint32_t lower = __byte_perm(quick(v.x, sure), quick(v.y, sure), 0x0040);
        const std::uint32_t upper = __byte_perm(quick(v.z, sure), quick(v.w, sure), 0x0040);
        return sure ? __byte_perm(lower, upper, 0x5410) : exact(v, scale_, q_);
    }

  private:
    /// The code in the lowest byte; NaN becomes -q, as in code_of().
    __device__ std::uint32_t quick(float x, bool& sure) const {
        constexpr float magic = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer, half to even
        const float quotient = fminf(fmaxf(__fmul_rn(x, inverse_), -q_), q_);
        const float shifted = __fadd_rn(quotient, magic);
        sure &= fabsf(__fsub_rn(quotient, __fsub_rn(shifted, magic))) < 0.49996F;
        return __float_as_uint(shifted);
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
    bool trusted_; ///< the scale is neither tiny nor huge
};

} // namespace quantscope::kernels
