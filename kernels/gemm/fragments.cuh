// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/packed_weights.h"

#include <cstdint>

/// Tensor core instructions and the unpacking of a lane's 16-byte vectors into their operands (layout:
/// PackedWeights).
namespace quantscope::kernels {

__device__ inline void mma_s8(int (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline void mma_f16(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                               std::uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// A format's accumulator, vectors a lane and tile, and the products of one tile with one block of 8 batch
/// columns. `act` is the lane's 16 (int8) or 32 (half) bytes of column g: k 16t .. 16t + 15.
template<WeightFormat format>
struct Tile;

template<>
struct Tile<WeightFormat::int4> {
    using Acc = int;
    static constexpr int vectors = 1;
    static constexpr int act_words = 4;
    /// Nibbles become int8 times 16 by a mask alone: sums carry the factor 16, which the epilogue shifts out,
    /// exactly.
    static __device__ void multiply(int (&acc)[4], const uint4 (&w)[1], const std::uint32_t (&act)[4]) {
        constexpr std::uint32_t high = 0xF0F0F0F0U;
        const std::uint32_t step0[4] = {(w[0].x << 4) & high, (w[0].y << 4) & high, w[0].x & high,
                                        w[0].y & high};
        const std::uint32_t step1[4] = {(w[0].z << 4) & high, (w[0].w << 4) & high, w[0].z & high,
                                        w[0].w & high};
        mma_s8(acc, step0, act[0], act[1]);
        mma_s8(acc, step1, act[2], act[3]);
    }
    /// @param code_shift  of what activations' codes are multiplied by
    static __device__ int finish(int acc, int code_shift = 0) { return acc >> (4 + code_shift); }
};

template<>
struct Tile<WeightFormat::int8> {
    using Acc = int;
    static constexpr int vectors = 2;
    static constexpr int act_words = 4;
    static __device__ void multiply(int (&acc)[4], const uint4 (&w)[2], const std::uint32_t (&act)[4]) {
        const std::uint32_t step0[4] = {w[0].x, w[0].y, w[0].z, w[0].w};
        const std::uint32_t step1[4] = {w[1].x, w[1].y, w[1].z, w[1].w};
        mma_s8(acc, step0, act[0], act[1]);
        mma_s8(acc, step1, act[2], act[3]);
    }
    static __device__ int finish(int acc, int code_shift = 0) { return acc >> code_shift; }
};

template<>
struct Tile<WeightFormat::f16> {
    using Acc = float;
    static constexpr int vectors = 4;
    static constexpr int act_words = 8;
    static __device__ void multiply(float (&acc)[4], const uint4 (&w)[4], const std::uint32_t (&act)[8]) {
#pragma unroll
        for (int s = 0; s < 4; ++s) {
            const std::uint32_t a[4] = {w[s].x, w[s].y, w[s].z, w[s].w};
            mma_f16(acc, a, act[2 * s], act[2 * s + 1]);
        }
    }
    static __device__ float finish(float acc, int /*code_shift*/ = 0) {
        return acc;
    }
};

} // namespace quantscope::kernels
