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

/// The same, mostly: v / s is a product with 1 / s unless that comes so near to where rounding turns that the
/// last bits of the quotient matter: reciprocal, product and quotient are rounded once each, so that they
/// differ by 3 * 2^-24 (1.8e-7) of the quotient at most.
__device__ __noinline__ unsigned quick_codes(float4 v, float scale, float q, float inverse) {
    constexpr float magic = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer, half to even
    bool sure = true;
    const auto bits = [&](float x) {
        const float product = __fmul_rn(x, inverse);
        const float quotient = fminf(fmaxf(product, -q), q);
        const float shifted = __fadd_rn(quotient, magic);
        const float rest = fabsf(__fsub_rn(quotient, __fsub_rn(shifted, magic)));
        sure &= __fmaf_rn(fabsf(quotient), 3e-7F, rest) < 0.5F;
        sure &= product == product;
        return __float_as_uint(shifted);
    };
    const unsigned lower = __byte_perm(bits(v.x), bits(v.y), 0x0040);
    const unsigned upper = __byte_perm(bits(v.z), bits(v.w), 0x0040);
    return sure ? __byte_perm(lower, upper, 0x5410) : exact_codes(v, scale, q);
}

/// Codes of many numbers with one scale.
class Coder {
  public:
    __device__ Coder(float scale, float q) : scale_(scale), q_(q) {
        inverse_ = scale > 1e-30F && scale < 1e30F ? __fdiv_rn(1.0F, scale) : NAN;
    }

    __device__ unsigned four(float a, float b, float c, float d) const {
        return quick_codes({a, b, c, d}, scale_, q_, inverse_);
    }

  private:
    float scale_;
    float q_;
    float inverse_; ///< NaN where it could not be trusted
};

/// The coder of a row whose largest magnitude in this thread is `largest`; hands out the row's scale. All
/// threads; scratch as block_combine's.
__device__ inline Coder coder_of_row(float largest, const RowCoding& coding, float* scale, float* scratch) {
    largest = block_combine(
        largest, scratch, [](float a, float b) { return fmaxf(a, b); }, step_threads, StepBarrier());
    const float s = scale_of(largest, coding.clip, static_cast<float>(coding.largest_code));
    if (threadIdx.x == 0)
        *scale = s;
    return {s, static_cast<float>(coding.largest_code)};
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

    /// Waits for a row of other blocks. @param from  as place_of(element, log_pairs_of_hidden) says
    __device__ void await(const Tagged* from, int cols, unsigned tag) {
        float2 pairs[2 * vectors];
        const int first = 4 * static_cast<int>(threadIdx.x);
        const auto place = [&](int i) { // in place of what is beyond the row: what is waited for anyway
            const int column = first + i / 2 * step_threads * 4;
            return from + (column < cols ? place_of(column, log_pairs_of_hidden) : 0) + i % 2 * 64;
        };
        await_pairs(place, tag, pairs);
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            v[i] = first + i * step_threads * 4 < cols
                       ? float4{pairs[2 * i].x, pairs[2 * i].y, pairs[2 * i + 1].x, pairs[2 * i + 1].y}
                       : float4{0.0F, 0.0F, 0.0F, 0.0F};
    }

    /// RMSNorm. @param weights  gamma, if `weighted`. All threads; scratch: 16 floats.
    __device__ void normalize(const BlockRow& weights, bool weighted, int cols, float eps, float* scratch) {
        float squares = 0.0F;
#pragma unroll
        for (int i = 0; i < vectors; ++i) {
            squares = __fmaf_rn(v[i].x, v[i].x, squares);
            squares = __fmaf_rn(v[i].y, v[i].y, squares);
            squares = __fmaf_rn(v[i].z, v[i].z, squares);
            squares = __fmaf_rn(v[i].w, v[i].w, squares);
        }
        squares = sum_of_group(squares);
        if (threadIdx.x % 32 == 0)
            scratch[threadIdx.x / 32] = squares;
        StepBarrier()();
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
    }

    /// Stores the row. @param padded  elements stored; zeros after the row's
    /// @param out  [padded] int8 or half, @param scale  one float, codes only
    __device__ void store(const RowCoding& coding, int padded, void* out, float* scale,
                          float* scratch) const {
        if (coding.largest_code == 0) {
#pragma unroll
            for (int i = 0; i < vectors; ++i)
                if (column(i) < padded)
                    static_cast<uint2*>(out)[column(i) / 4] = halves_of(v[i]);
            return;
        }
        float largest = 0.0F;
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            largest = fmaxf(fmaxf(fmaxf(fabsf(v[i].x), fabsf(v[i].y)), fmaxf(fabsf(v[i].z), fabsf(v[i].w))),
                            largest);
        const Coder coder = coder_of_row(largest, coding, scale, scratch);
#pragma unroll
        for (int i = 0; i < vectors; ++i)
            if (column(i) < padded)
                static_cast<unsigned*>(out)[column(i) / 4] = coder.four(v[i].x, v[i].y, v[i].z, v[i].w);
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
    /// @param from  as place_of(element, log_pairs_of_blocks) says
    __device__ void await(const Tagged* from, int cols, unsigned tag) {
        float2 pairs[4 * blocks];
        const int first = 8 * static_cast<int>(threadIdx.x);
        const auto place = [&](int i) { // in place of what is beyond the row: what is waited for anyway
            const int column = first + i / 4 * step_threads * 8;
            return from + (column < cols ? place_of(column, log_pairs_of_blocks) : 0) + i % 4 * 64;
        };
        await_pairs(place, tag, pairs);
#pragma unroll
        for (int i = 0; i < 4 * blocks; ++i) {
            const bool there = first + i / 4 * step_threads * 8 < cols;
            v[i / 4][i % 4 * 2] = there ? pairs[i].x : 0.0F;
            v[i / 4][i % 4 * 2 + 1] = there ? pairs[i].y : 0.0F;
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
    __device__ void store(const RowCoding& coding, int padded, void* out, float* scale,
                          float* scratch) const {
        float largest = 0.0F;
#pragma unroll
        for (int b = 0; b < blocks; ++b)
#pragma unroll
            for (int i = 0; i < 8; ++i)
                largest = fmaxf(largest, fabsf(v[b][i]));
        const Coder coder = coder_of_row(largest, coding, scale, scratch);
#pragma unroll
        for (int b = 0; b < blocks; ++b)
            if (column(b) < padded)
                static_cast<uint2*>(out)[column(b) / 8] = {coder.four(v[b][0], v[b][1], v[b][2], v[b][3]),
                                                           coder.four(v[b][4], v[b][5], v[b][6], v[b][7])};
    }
};

} // namespace quantscope::kernels
