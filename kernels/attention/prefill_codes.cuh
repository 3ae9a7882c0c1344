// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/prefill_rows.cuh"

/// What prefill does beside, where the cache holds codes: they become halves, which hold them exactly, scores
/// take the keys' scales and weights the values'.
namespace quantscope::kernels::prefill_detail {

/// Scales of one tile's keys and values, [block_keys] each; null for halves.
struct TileScales {
    const float* keys = nullptr;
    const float* values = nullptr;
};

/// Eight codes as halves.
__device__ inline uint4 halves_of(const uint2& codes) {
    // 1024 + 128 + code has the byte, its sign bit turned, as its last.
    const auto two = [](std::uint32_t bytes, std::uint32_t selector) {
        const std::uint32_t shifted = __byte_perm(bytes ^ 0x80808080U, 0x64646464U, selector);
        const __half2 pair = __hsub2(*reinterpret_cast<const __half2*>(&shifted),
                                     __half2{__half_raw{0x6480}, __half_raw{0x6480}}); // 1152
        return *reinterpret_cast<const std::uint32_t*>(&pair);
    };
    return {two(codes.x, 0x4140), two(codes.x, 0x4342), two(codes.y, 0x4140), two(codes.y, 0x4342)};
}

/// WarpRows whose keys and values are codes.
template<int head_dim>
class CodeRows : public WarpRows<head_dim> {
  public:
    using Base = WarpRows<head_dim>;
    using Base::Base;

    __device__ void write(const AttentionShape& s, int head, float* out) {
#pragma unroll
        for (float& sum : this->sum_)
            sum *= 1.0F / value_unit;
        Base::write(s, head, out);
    }

  protected:
    using Scores = typename Base::Scores;

    __device__ void weigh_keys(Scores& scores, const TileScales& scales) const {
        weigh(scores, scales.keys, 1.0F);
    }
    __device__ void weigh_values(Scores& weights, const TileScales& scales) const {
        weigh(weights, scales.values, value_unit);
    }

  private:
    /// A value's weight is e * scale * value_unit while it is two halves, so that small scales do not end in
    /// subnormal ones. A power of two: exact.
    static constexpr float value_unit = 256.0F;

    __device__ void weigh(Scores& scores, const float* scales, float unit) const {
#pragma unroll
        for (int j = 0; j < block_keys / 8; ++j) {
            const float2 pair = *reinterpret_cast<const float2*>(scales + j * 8 + this->lane_ % 4 * 2);
#pragma unroll
            for (int upper = 0; upper < 2; ++upper) {
                scores[4 * j + 2 * upper] *= pair.x * unit;
                scores[4 * j + 2 * upper + 1] *= pair.y * unit;
            }
        }
    }
};

} // namespace quantscope::kernels::prefill_detail
