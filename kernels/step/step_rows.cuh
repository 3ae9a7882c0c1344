// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.cuh"
#include "kernels/rows/row_codes.cuh"
#include "kernels/rows/row_transform.h"
#include "kernels/step/exchange.cuh"
#include "kernels/tokens/embedding.cuh"

#include <cuda_fp16.h>

namespace quantscope::kernels {

/// How a row is stored for the linear that reads it: codes of at most `largest_code`, or halves (0).
struct RowCoding {
    int largest_code;
    float clip;
};

/// Of the warp's values, which are not negative: their bits are in the same order, NaN above all.
__device__ inline float largest_of_warp(float value) {
    return __uint_as_float(__reduce_max_sync(0xFFFFFFFFU, __float_as_uint(value)));
}

/// The block's largest value, likewise. All threads; scratch: 16 floats that no thread reads or writes before
/// the next barrier.
__device__ inline float largest_of_block(float value, float* scratch) {
    value = largest_of_warp(value);
    if (threadIdx.x % 32 == 0)
        scratch[threadIdx.x / 32] = value;
    StepBarrier()();
    return largest_of_warp(scratch[threadIdx.x % step_warps]);
}

/// How a row of a known largest magnitude becomes codes.
struct Codes {
    float scale;
    RowCoder codes;

    __device__ Codes(float largest, const RowCoding& coding)
        : scale(quick_scale_of(largest, coding.clip, static_cast<float>(coding.largest_code))),
          codes(scale, static_cast<float>(coding.largest_code)) {}

    /// By one thread of the block's last warp, which has the least to do.
    __device__ void store_scale(float* to) const {
        if (threadIdx.x == step_threads - 1)
            *to = scale;
    }
};

/// sum_of_groups() by every thread for itself: sooner than by shuffles. @param sums  16-byte aligned
__device__ inline float sum_of_16(const float* sums) {
    const auto add = [](const float4& a, const float4& b) {
        return float4{__fadd_rn(a.x, b.x), __fadd_rn(a.y, b.y), __fadd_rn(a.z, b.z), __fadd_rn(a.w, b.w)};
    };
    const auto* const fours = reinterpret_cast<const float4*>(sums);
    const float4 four = add(add(fours[0], fours[2]), add(fours[1], fours[3]));
    return __fadd_rn(__fadd_rn(four.x, four.z), __fadd_rn(four.y, four.w));
}

/// inverse_rms_of(), where cols is a power of two by a product instead of a division, which is the same.
__device__ inline float inverse_rms_of_row(float squares, int cols, float eps) {
    if ((cols & (cols - 1)) != 0)
        return inverse_rms_of(squares, cols, eps);
    const float part = __uint_as_float((254U << 23U) - __float_as_uint(static_cast<float>(cols)));
    return __frcp_rn(__fsqrt_rn(__fadd_rn(__fmul_rn(squares, part), eps)));
}

constexpr float unknown_largest = -1.0F;

/// Four narrow codes, times 16: as KeptCodes wants every other four.
__device__ inline unsigned times_16(unsigned codes) {
    return codes << 4U & 0xF0F0F0F0U;
}

/// A row in the registers of a block of step_threads: vector i of a thread is elements 4 * (threadIdx.x +
/// i * step_threads) and the three after it; elements from cols on are 0. Arithmetic and its order are those
/// of rows/row_transform.h, so codes and scales are the same bit for bit.
template<int vectors>
struct BlockRow {
    static constexpr int max_cols = vectors * step_threads * 4;
    float4 v[vectors];

    static __device__ int column(int i) { return 4 * (static_cast<int>(threadIdx.x) + i * step_threads); }

    /// @param from  [cols], cols a multiple of 4
    __device__ void load(const float* from, int cols) {
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            v[i] = column(i) < cols ? __ldcg(reinterpret_cast<const float4*>(from + column(i)))
                                    : float4{0.0F, 0.0F, 0.0F, 0.0F};
    }

    /// Row `row` of a table of embeddings.
    __device__ void embed(const __half* tiles, int col_tiles, int row, int cols) {
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            v[i] = column(i) < cols ? four_of_packed_row(tiles, col_tiles, row, column(i))
                                    : float4{0.0F, 0.0F, 0.0F, 0.0F};
    }

    /// Waits for a row of other blocks.
    __device__ void await(const float* from, int cols) {
        const int first = 4 * static_cast<int>(threadIdx.x);
        await_plain(
            [&](int i) {
                return from + (first + i * step_threads * 4 < cols ? first + i * step_threads * 4 : 0);
            },
            v);
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            if (first + i * step_threads * 4 >= cols)
                v[i] = float4{0.0F, 0.0F, 0.0F, 0.0F};
    }

    /// RMSNorm. @param weights  gamma, if `weighted`. All threads; scratch: 32 floats.
    /// @returns the row's largest magnitude where gamma is not there (rounding keeps the order, so that it is
    /// the largest before times the same factor); else unknown_largest
    __device__ float normalize(const BlockRow& weights, bool weighted, int cols, float eps, float* scratch) {
        float squares = 0.0F;
        const float before = largest_of_warp(own_largest());
#pragma unroll
        for (int i = 0; i < vectors; ++i) {
            squares = __fmaf_rn(v[i].x, v[i].x, squares);
            squares = __fmaf_rn(v[i].y, v[i].y, squares);
            squares = __fmaf_rn(v[i].z, v[i].z, squares);
            squares = __fmaf_rn(v[i].w, v[i].w, squares);
        }
        squares = sum_of_group(squares);
        if (threadIdx.x % 32 == 0) {
            scratch[threadIdx.x / 32] = squares;
            scratch[step_warps + threadIdx.x / 32] = before;
        }
        StepBarrier()();
        const float largest = largest_of_warp(scratch[step_warps + threadIdx.x % step_warps]);
        const float inverse = inverse_rms_of_row(sum_of_16(scratch), cols, eps);
#pragma unroll
        for (int i = 0; i < vectors; ++i) {
            v[i] = {__fmul_rn(v[i].x, inverse), __fmul_rn(v[i].y, inverse), __fmul_rn(v[i].z, inverse),
                    __fmul_rn(v[i].w, inverse)};
            if (weighted) {
                const float4& g = weights.v[i];
                v[i] = {__fmul_rn(v[i].x, g.x), __fmul_rn(v[i].y, g.y), __fmul_rn(v[i].z, g.z),
                        __fmul_rn(v[i].w, g.w)};
            }
        }
        return weighted ? unknown_largest : __fmul_rn(largest, inverse);
    }

    /// Stores the row. @param padded  elements stored; zeros after the row's
    /// @param out  [padded] int8 or half, @param scale  one float, codes only
    /// @tparam narrow  codes of at most 7, of which every other four, from the first on, are stored times 16
    /// @param largest  the row's largest magnitude, or unknown_largest: then all threads call, and scratch is
    /// as largest_of_block's
    template<bool narrow>
    __device__ void store(const RowCoding& coding, int padded, void* out, float* scale, float* scratch,
                          float largest = unknown_largest) const {
        if (coding.largest_code == 0) {
#pragma unroll
            for (int i = 0; i < vectors; ++i)
                if (column(i) < padded)
                    static_cast<uint2*>(out)[column(i) / 4] = halves_of(v[i]);
            return;
        }
        if (largest < 0.0F)
            largest = largest_of_block(own_largest(), scratch);
        const Codes coder(largest, coding);
        float x[4 * vectors];
#pragma unroll
        for (int i = 0; i < vectors; ++i) {
            x[4 * i] = v[i].x;
            x[4 * i + 1] = v[i].y;
            x[4 * i + 2] = v[i].z;
            x[4 * i + 3] = v[i].w;
        }
        unsigned words[vectors];
        coder.codes.code(x, words);
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            if (column(i) < padded)
                static_cast<unsigned*>(out)[column(i) / 4] =
                    narrow && threadIdx.x % 2 == 0 ? times_16(words[i]) : words[i];
        coder.store_scale(scale);
    }

    /// Of the thread's elements; NaN where one is.
    __device__ float own_largest() const {
        float largest = 0.0F;
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            largest = max_or_nan(max_or_nan(max_or_nan(fabsf(v[i].x), fabsf(v[i].y)),
                                            max_or_nan(fabsf(v[i].z), fabsf(v[i].w))),
                                 largest);
        return largest;
    }

    static __device__ uint2 halves_of(const float4& f) {
        const __half2 lower = __floats2half2_rn(f.x, f.y);
        const __half2 upper = __floats2half2_rn(f.z, f.w);
        return {*reinterpret_cast<const unsigned*>(&lower), *reinterpret_cast<const unsigned*>(&upper)};
    }
};

/// down_proj's input, where it becomes codes, in registers, warp by warp: block i of a warp is the 256
/// elements from 256 * (warp + i * step_warps) on, of which a lane holds 8 neighbours.
template<int blocks>
struct WarpBlocksRow {
    static constexpr int max_cols = blocks * step_threads * 8;
    float v[blocks][8];

    static __device__ int column(int i) { return 8 * (static_cast<int>(threadIdx.x) + i * step_threads); }

    /// Waits for a row of other blocks; cols is a multiple of 8.
    /// @param from  as plain_place_of_eight() says
    __device__ void await(const float* from, int cols) {
        float4 four[2 * blocks];
        const int first = 8 * static_cast<int>(threadIdx.x);
        await_plain(
            [&](int i) {
                const int column = first + i / 2 * step_threads * 8;
                return from + plain_place_of_eight(column < cols ? column : 0) + i % 2 * 128;
            },
            four);
#pragma unroll
        for (int i = 0; i < 2 * blocks; ++i) {
            const bool there = first + i / 2 * step_threads * 8 < cols;
            v[i / 2][i % 2 * 4] = there ? four[i].x : 0.0F;
            v[i / 2][i % 2 * 4 + 1] = there ? four[i].y : 0.0F;
            v[i / 2][i % 2 * 4 + 2] = there ? four[i].z : 0.0F;
            v[i / 2][i % 2 * 4 + 3] = there ? four[i].w : 0.0F;
        }
    }

    /// As BlockRow::store.
    template<bool narrow>
    __device__ void store(const RowCoding& coding, int padded, void* out, float* scale,
                          float* scratch) const {
        float largest = 0.0F;
#pragma unroll
        for (int b = 0; b < blocks; ++b)
#pragma unroll
            for (int i = 0; i < 8; ++i)
                largest = max_or_nan(largest, fabsf(v[b][i]));
        const Codes coder(largest_of_block(largest, scratch), coding);
        float x[8 * blocks];
#pragma unroll
        for (int i = 0; i < 8 * blocks; ++i)
            x[i] = v[i / 8][i % 8];
        unsigned words[2 * blocks];
        coder.codes.code(x, words);
#pragma unroll
        for (int b = 0; b < blocks; ++b)
            if (column(b) < padded)
                static_cast<uint2*>(out)[column(b) / 8] = {narrow ? times_16(words[2 * b]) : words[2 * b],
                                                           words[2 * b + 1]};
        coder.store_scale(scale);
    }
};

/// The first three stages of hadamard_256, by the eight lanes that hold eight neighbours.
__device__ inline float turn_eight(float y) {
#pragma unroll
    for (int distance = 1; distance < 8; distance *= 2)
        y = __fmaf_rn(y, (threadIdx.x & distance) == 0 ? 1.0F : -1.0F,
                      __shfl_xor_sync(0xFFFFFFFFU, y, distance));
    return y;
}

/// down_proj's input where it is Hadamard-transformed in blocks of 256, in registers: a warp has four blocks,
/// a lane every eighth element of one, so that the stages that turn_eight() leaves need no exchange.
struct TurnedRow {
    static constexpr int max_cols = step_warps * 1024;
    float v[32];

    static __device__ int block() { return static_cast<int>(threadIdx.x) / 8; }
    static __device__ int start_of_warp() { return static_cast<int>(threadIdx.x) / 32 * 1024; }
    static __device__ int end_of_warp() { return start_of_warp() + 1024; }

    /// Waits for a row of other blocks, as turn_eight() leaves it. @param cols  a multiple of 256
    /// @param from  as plain_place_of_eighth() says
    __device__ void await(const float* from, int cols) {
        float4 four[8];
        const bool there = block() * 256 < cols;
        const float* const own = from + (there ? block() * 256 + threadIdx.x % 8 * 4 : 0);
        const int step = there ? 32 : 0;
        await_plain([&](int i) { return own + i * step; }, four);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            v[i * 4] = there ? four[i].x : 0.0F;
            v[i * 4 + 1] = there ? four[i].y : 0.0F;
            v[i * 4 + 2] = there ? four[i].z : 0.0F;
            v[i * 4 + 3] = there ? four[i].w : 0.0F;
        }
    }

    /// What is left of hadamard_256. A warp without elements has none to transform.
    __device__ void transform(int cols) {
        if (start_of_warp() >= cols)
            return;
        hadamard_stages(v);
#pragma unroll
        for (int i = 0; i < 32; ++i)
            v[i] = __fmul_rn(v[i], 0.0625F); // 1 / sqrt(256)
    }

    /// As BlockRow::store.
    template<bool narrow>
    __device__ void store(const RowCoding& coding, int padded, void* out, float* scale,
                          float* scratch) const {
        float largest = 0.0F;
#pragma unroll
        for (int i = 0; i < 32; ++i)
            largest = max_or_nan(largest, fabsf(v[i]));
        const Codes coder(largest_of_block(largest, scratch), coding);
        if (start_of_warp() < padded) {
            unsigned words[8];
            coder.codes.code(v, words);
            gather(words);
            const bool even = narrow && (threadIdx.x & 4U) == 0;
            const unsigned swap = threadIdx.x / 8;
            const unsigned place = static_cast<unsigned>(block()) * 64 + (threadIdx.x & 3U) * 8 +
                                   (threadIdx.x >> 2 & 1U) + (swap & 3U) * 2;
            auto* const to = static_cast<unsigned*>(out);
#pragma unroll
            for (unsigned k = 0; k < 8; ++k)
                to[(place ^ (k & 3U) * 2) + (k & 4U) * 8] = even ? times_16(words[k]) : words[k];
        }
        coder.store_scale(scale);
    }

  private:
    /// Codes of every eighth element become codes of neighbours. Before: word k, byte p of lane l are element
    /// l % 8 + 8 * (4 * k + p). After: elements 4 * (l / 4 % 2) + (0 .. 3) + 8 * i of byte 0 .. 3, where the
    /// bits of i are, from the highest: bit 2 of k, bits 1 and 0 of l, bits 1 and 0 of k ^ l / 8: banks of
    /// shared memory that differ for all lanes.
    static __device__ void gather(unsigned (&words)[8]) {
        const unsigned l = threadIdx.x;
        exchange<1>(words, l & 1U, l >> 3 & 1U, 0x6240, 0x2604, 0x7351, 0x3715);
        exchange<2>(words, l & 2U, l >> 4 & 1U, 0x5410, 0x1054, 0x7632, 0x3276);
    }
    /// Words k and k + bit: the bit goes to the lane, the lane's to the bytes, the bytes' to k, inverted
    /// where `swapped`.
    template<int bit>
    static __device__ void exchange(unsigned (&words)[8], bool upper, bool swapped, unsigned low,
                                    unsigned low_of_upper, unsigned high, unsigned high_of_upper) {
        const unsigned lows = upper ? low_of_upper : low;
        const unsigned highs = upper ? high_of_upper : high;
        const unsigned first = swapped ? highs : lows;
        const unsigned second = swapped ? lows : highs;
#pragma unroll
        for (int k = 0; k < 8; ++k)
            if ((k & bit) == 0) {
                const unsigned kept = upper ? words[k + bit] : words[k];
                const unsigned got = __shfl_xor_sync(0xFFFFFFFFU, upper ? words[k] : words[k + bit], bit);
                words[k] = __byte_perm(kept, got, first);
                words[k + bit] = __byte_perm(kept, got, second);
            }
    }
};

} // namespace quantscope::kernels
