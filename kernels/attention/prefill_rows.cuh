// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"

#include <cmath>

/// What the prefill kernels share: blocks of 64 rows, 16 a warp, that take their slots' keys 64 at a time.
namespace quantscope::kernels::prefill_detail {

constexpr int block_rows = 64; ///< 16 a warp
constexpr int block_keys = 64;
constexpr int block_threads = 128;

/// A float as the sum of two halves: what one loses, the other keeps, so that products on tensor cores are
/// nearly those of floats.
struct TwoHalves {
    std::uint32_t high;
    std::uint32_t low;

    __device__ TwoHalves(float a, float b) {
        const __half2 upper = __floats2half2_rn(a, b);
        const float2 back = __half22float2(upper);
        const __half2 lower = __floats2half2_rn(a - back.x, b - back.y);
        high = *reinterpret_cast<const std::uint32_t*>(&upper);
        low = *reinterpret_cast<const std::uint32_t*>(&lower);
    }
};

/// Rows of the block that belong to one slot, from `first` on.
struct Segment {
    int first;
    int end;
    int slot;
    int keys; ///< of its longest row

    /// Where the cache of the slot and of the query head's kv head begins, in tokens.
    __device__ std::size_t first_token(const AttentionShape& s, int head) const {
        return (static_cast<std::size_t>(max(slot, 0)) * s.kv_heads + head / (s.heads / s.kv_heads)) *
               s.context;
    }
};

/// What the block's rows are; in shared memory.
struct Rows {
    int slots[block_rows];
    int keys[block_rows]; ///< position + 1; 0 for rows that pad the batch
    unsigned starts[2];   ///< bit i: row i is not of the slot of row i - 1

    __device__ void load(const AttentionRows& r, int first_row) {
        const int i = threadIdx.x;
        if (i < block_rows) {
            const int row = first_row + i;
            const bool present = row < r.rows;
            slots[i] = present ? r.slots[row] : -2;
            keys[i] = present && slots[i] >= 0 ? r.positions[row] + 1 : 0;
        }
        __syncthreads();
        const unsigned word =
            __ballot_sync(0xFFFFFFFFU, i < block_rows && i > 0 &&
                                           slots[i % block_rows] != slots[(i + block_rows - 1) % block_rows]);
        if (i < block_rows && i % 32 == 0)
            starts[i / 32] = word;
        __syncthreads();
    }

    __device__ Segment segment(int first) const {
        const unsigned long long all = starts[0] | static_cast<unsigned long long>(starts[1]) << 32U;
        const unsigned long long later = first + 1 < block_rows ? all >> (first + 1) : 0ULL;
        const int end = later != 0 ? first + __ffsll(static_cast<long long>(later)) : block_rows;
        const int lane = threadIdx.x % 32;
        int most = 0;
        for (int i = lane; i < block_rows; i += 32)
            most = i >= first && i < end ? max(most, keys[i]) : most;
        for (int offset = 16; offset > 0; offset /= 2)
            most = max(most, __shfl_xor_sync(0xFFFFFFFFU, most, offset));
        return {first, end, slots[first], most};
    }
};

/// e^x, nearly: 2 ulp and one more for each 8 of |x|.
__device__ inline float quick_exponential(float x) {
    float y = 0.0F;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x * 1.44269504F));
    return y;
}

/// One warp's 16 rows: queries, and what is summed so far. Lane 4g + t holds rows g and g + 8, as a tensor
/// core fragment does; of the sums, columns 8d + 2t and the next as numbers 4d .. 4d + 3 (row g, row g + 8).
template<int head_dim>
class WarpRows {
  public:
    __device__ WarpRows(const AttentionRows& r, const Rows& rows, const Segment& segment, int first_row,
                        int head)
        : lane_(static_cast<int>(threadIdx.x) % 32) {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            const int in_block = static_cast<int>(threadIdx.x) / 32 * 16 + lane_ / 4 + 8 * upper;
            const bool present = in_block >= segment.first && in_block < segment.end;
            row_[upper] = first_row + in_block;
            keys_[upper] = present ? rows.keys[in_block] : 0;
            writes_[upper] = present && row_[upper] < r.rows;
            const float* const query =
                r.qkv + static_cast<std::size_t>(writes_[upper] ? row_[upper] : 0) * r.shape.qkv_size() +
                head * head_dim + lane_ % 4 * 2;
#pragma unroll
            for (int k = 0; k < head_dim / 8; ++k) { // columns 8k + 2t, 8k + 2t + 1
                const float2 pair =
                    writes_[upper] ? *reinterpret_cast<const float2*>(query + k * 8) : float2{0.0F, 0.0F};
                const TwoHalves halves(pair.x, pair.y);
                query_high_[k / 2][k % 2 * 2 + upper] = halves.high;
                query_low_[k / 2][k % 2 * 2 + upper] = halves.low;
            }
        }
        most_keys_ = max(keys_[0], keys_[1]);
        for (int offset = 16; offset > 0; offset /= 2)
            most_keys_ = max(most_keys_, __shfl_xor_sync(0xFFFFFFFFU, most_keys_, offset));
    }

    __device__ int most_keys() const {
        return most_keys_;
    }

    __device__ void write(const AttentionShape& s, int head, float* out) const {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            float weight = weight_[upper];
            weight += __shfl_xor_sync(0xFFFFFFFFU, weight, 1);
            weight += __shfl_xor_sync(0xFFFFFFFFU, weight, 2);
            if (!writes_[upper])
                continue;
            float* const to =
                out + (static_cast<std::size_t>(row_[upper]) * s.heads + head) * head_dim + lane_ % 4 * 2;
#pragma unroll
            for (int d = 0; d < head_dim / 8; ++d)
                *reinterpret_cast<float2*>(to + d * 8) =
                    keys_[upper] > 0
                        ? float2{sum_[4 * d + 2 * upper] / weight, sum_[4 * d + 2 * upper + 1] / weight}
                        : float2{0.0F, 0.0F};
        }
    }

  protected:
    using Scores = float[block_keys / 2]; ///< as sum_, keys instead of columns

    /// Scores become exponentials against the largest so far; sums are rescaled to it.
    __device__ void exponentiate(Scores& scores, int first_key, float scale) {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            float peak = peak_[upper];
#pragma unroll
            for (int j = 0; j < block_keys / 8; ++j)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float& score = scores[4 * j + 2 * upper + i];
                    const int key = first_key + j * 8 + lane_ % 4 * 2 + i;
                    score = key < keys_[upper] ? score * scale : -INFINITY;
                    peak = fmaxf(peak, score);
                }
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, 1));
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, 2));
            const float base = peak == -INFINITY ? 0.0F : peak; // a row of another slot has no keys here
            const float rescale = quick_exponential(peak_[upper] - base);
            peak_[upper] = peak;
            float weight = weight_[upper] * rescale;
#pragma unroll
            for (int j = 0; j < block_keys / 8; ++j)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float& score = scores[4 * j + 2 * upper + i];
                    score = quick_exponential(score - base);
                    weight += score;
                }
            weight_[upper] = weight;
#pragma unroll
            for (int d = 0; d < head_dim / 8; ++d) {
                sum_[4 * d + 2 * upper] *= rescale;
                sum_[4 * d + 2 * upper + 1] *= rescale;
            }
        }
    }

    /// The exponentials of keys 16k .. 16k + 15 as a fragment.
    static __device__ void split(const Scores& p, int k, std::uint32_t (&high)[4], std::uint32_t (&low)[4]) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const TwoHalves halves(p[8 * k + 2 * i], p[8 * k + 2 * i + 1]);
            high[i] = halves.high;
            low[i] = halves.low;
        }
    }

    int lane_;
    int row_[2];
    int keys_[2];
    bool writes_[2];
    int most_keys_ = 0;
    std::uint32_t query_high_[head_dim / 16][4];
    std::uint32_t query_low_[head_dim / 16][4];
    float sum_[head_dim / 2] = {};
    float peak_[2] = {-INFINITY, -INFINITY};
    float weight_[2] = {0.0F, 0.0F}; ///< this lane's share
};

} // namespace quantscope::kernels::prefill_detail
