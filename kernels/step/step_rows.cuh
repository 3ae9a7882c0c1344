// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.cuh"
#include "kernels/rows/row_math.cuh"
#include "kernels/rows/row_transform.h"
#include "kernels/step/exchange.cuh"

#include <cuda_fp16.h>

namespace quantscope::kernels {

/// How a row is stored for the linear that reads it: codes of at most `largest_code`, or halves (0).
struct RowCoding {
    int largest_code;
    float clip;
};

/// Codes of four numbers, a byte each. A function of its own: it is seldom needed, and code must stay in the
/// instruction cache.
__device__ __noinline__ unsigned exact_codes(float4 v, float scale, float q) {
    const auto byte = [&](float x) {
        return static_cast<unsigned>(static_cast<std::uint8_t>(code_of(x, scale, q)));
    };
    return byte(v.x) | byte(v.y) << 8U | byte(v.z) << 16U | byte(v.w) << 24U;
}

/// Codes of many numbers with one scale.
class Coder {
  public:
    __device__ Coder(float scale, float q) : scale_(scale), q_(q) {
        inverse_ = scale > 1e-30F && scale < 1e30F ? __fdiv_rn(1.0F, scale) : NAN;
    }

    /// The codes of n numbers. v / s is a product with 1 / s unless that comes so near to where rounding
    /// turns that the last bits of the quotient matter: reciprocal, product and quotient are rounded once
    /// each, so that they differ by 3 * 2^-24 (1.8e-7) of the quotient at most. NaN becomes -q, here as in a
    /// division.
    template<int n>
    __device__ void code(const float (&x)[n], unsigned (&words)[n / 4]) const {
        constexpr float magic = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer, half to even
        bool sure = inverse_ == inverse_;
        unsigned bits[n];
#pragma unroll
        for (int i = 0; i < n; ++i) {
            const float quotient = fminf(fmaxf(__fmul_rn(x[i], inverse_), -q_), q_);
            const float shifted = __fadd_rn(quotient, magic);
            const float rest = __fsub_rn(quotient, __fsub_rn(shifted, magic));
            sure = sure && __fmaf_rn(fabsf(quotient), 3e-7F, fabsf(rest)) < 0.5F;
            bits[i] = __float_as_uint(shifted);
        }
#pragma unroll
        for (int i = 0; i < n / 4; ++i)
            words[i] = __byte_perm(__byte_perm(bits[4 * i], bits[4 * i + 1], 0x0040),
                                   __byte_perm(bits[4 * i + 2], bits[4 * i + 3], 0x0040), 0x5410);
        if (sure)
            return;
#pragma unroll
        for (int i = 0; i < n / 4; ++i)
            words[i] = exact_codes({x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]}, scale_, q_);
    }

  private:
    float scale_;
    float q_;
    float inverse_; ///< NaN where it could not be trusted
};

/// Of the warp's values, which are not negative and not NaN: their bits are in the same order.
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

/// The coder of a row of a known largest magnitude; hands out the row's scale.
__device__ inline Coder coder_of_row(float largest, const RowCoding& coding, float* scale) {
    const float s = scale_of(largest, coding.clip, static_cast<float>(coding.largest_code));
    if (threadIdx.x == 0)
        *scale = s;
    return {s, static_cast<float>(coding.largest_code)};
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
        const float inverse = inverse_rms_of(sum_of_groups(scratch), cols, eps);
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
        return weighted ? unknown_largest : fmaxf(__fmul_rn(largest, inverse), 0.0F); // NaN: all are
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
        const Coder coder = coder_of_row(largest, coding, scale);
        float x[4 * vectors];
#pragma unroll
        for (int i = 0; i < vectors; ++i) {
            x[4 * i] = v[i].x;
            x[4 * i + 1] = v[i].y;
            x[4 * i + 2] = v[i].z;
            x[4 * i + 3] = v[i].w;
        }
        unsigned words[vectors];
        coder.code(x, words);
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            if (column(i) < padded)
                static_cast<unsigned*>(out)[column(i) / 4] =
                    narrow && threadIdx.x % 2 == 0 ? times_16(words[i]) : words[i];
    }

    /// Of the thread's elements; NaN counts as 0.
    __device__ float own_largest() const {
        float largest = 0.0F;
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            largest = fmaxf(fmaxf(fmaxf(fabsf(v[i].x), fabsf(v[i].y)), fmaxf(fabsf(v[i].z), fabsf(v[i].w))),
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

    /// hadamard_256 of each block; zeros stay zeros. All blocks at once, so that shuffles need not wait for
    /// one another, and as a loop: what runs once a layer waits for its instructions too.
    __device__ void transform() {
        const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int half = 1; half < 8; half *= 2)
#pragma unroll
            for (int b = 0; b < blocks; ++b)
#pragma unroll
                for (int i = 0; i < 8; ++i)
                    if ((i & half) == 0) {
                        const float lower = v[b][i];
                        const float upper = v[b][i + half];
                        v[b][i] = __fadd_rn(lower, upper);
                        v[b][i + half] = __fsub_rn(lower, upper);
                    }
#pragma unroll 1
        for (int distance = 1; distance < 32; distance *= 2) {
            const float sign = (lane & distance) == 0 ? 1.0F : -1.0F;
#pragma unroll
            for (int b = 0; b < blocks; ++b)
#pragma unroll
                for (int i = 0; i < 8; ++i)
                    v[b][i] = __fmaf_rn(v[b][i], sign, __shfl_xor_sync(0xFFFFFFFFU, v[b][i], distance));
        }
#pragma unroll
        for (int b = 0; b < blocks; ++b)
#pragma unroll
            for (int i = 0; i < 8; ++i)
                v[b][i] = __fmul_rn(v[b][i], 0.0625F); // 1 / sqrt(256)
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
                largest = fmaxf(largest, fabsf(v[b][i]));
        const Coder coder = coder_of_row(largest_of_block(largest, scratch), coding, scale);
        float x[8 * blocks];
#pragma unroll
        for (int i = 0; i < 8 * blocks; ++i)
            x[i] = v[i / 8][i % 8];
        unsigned words[2 * blocks];
        coder.code(x, words);
#pragma unroll
        for (int b = 0; b < blocks; ++b)
            if (column(b) < padded)
                static_cast<uint2*>(out)[column(b) / 8] = {narrow ? times_16(words[2 * b]) : words[2 * b],
                                                           words[2 * b + 1]};
    }
};

} // namespace quantscope::kernels
