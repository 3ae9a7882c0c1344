// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.cuh"

#include <cfloat>
#include <cstdint>

/// What a block of any number of whole warps does to one row of f32 in shared memory (16-byte aligned).
/// Results do not depend on the block's size. All threads call; a function that writes the row ends with a
/// barrier.
namespace quantscope::kernels {

/// Sum of 512 chains in groups of 32 (a warp has a group): a tree over each group by sum_of_group, then one
/// over the 16 sums by sum_of_groups, which every lane calls.
__device__ inline float sum_of_group(float chain) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        chain = __fadd_rn(chain, __shfl_xor_sync(0xFFFFFFFFU, chain, offset));
    return chain;
}
__device__ inline float sum_of_groups(const float* sums) {
    float sum = sums[threadIdx.x % 16];
#pragma unroll
    for (int offset = 8; offset > 0; offset /= 2)
        sum = __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, offset));
    return sum;
}
__device__ inline float inverse_rms_of(float squares, int cols, float eps) {
    return __fdiv_rn(1.0F, __fsqrt_rn(__fadd_rn(__fdiv_rn(squares, static_cast<float>(cols)), eps)));
}

/// 1 / sqrt(mean(x^2) + eps). The sum is that of the CPU engine, bit for bit: 512 chains, chain j takes the
/// elements k with k / 4 % 512 == j in rising order; a tree over each 32 chains, then one over the 16 sums.
/// @param scratch  16 floats that no thread reads or writes before the block's next barrier
__device__ inline float inverse_rms(const float* row, int cols, float eps, float* scratch) {
    constexpr int chains = 512;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    for (int group = static_cast<int>(threadIdx.x) / 32; group < chains / 32;
         group += static_cast<int>(blockDim.x) / 32) {
        float sum = 0.0F;
        for (int k = (group * 32 + lane) * 4; k < cols; k += chains * 4) {
            if (k + 4 <= cols) {
                const float4 x = *reinterpret_cast<const float4*>(row + k);
                sum = __fmaf_rn(x.x, x.x, sum);
                sum = __fmaf_rn(x.y, x.y, sum);
                sum = __fmaf_rn(x.z, x.z, sum);
                sum = __fmaf_rn(x.w, x.w, sum);
            } else {
                for (int i = k; i < cols; ++i)
                    sum = __fmaf_rn(row[i], row[i], sum);
            }
        }
        sum = sum_of_group(sum);
        if (lane == 0)
            scratch[group] = sum;
    }
    __syncthreads();
    return inverse_rms_of(sum_of_groups(scratch), cols, eps);
}

/// x <- x * inverse * gamma; gamma may be null.
__device__ inline void scale_row(float* row, int cols, float inverse, const float* gamma) {
    for (int i = threadIdx.x; i < cols; i += blockDim.x) {
        const float y = __fmul_rn(row[i], inverse);
        row[i] = gamma != nullptr ? __fmul_rn(y, gamma[i]) : y;
    }
    __syncthreads();
}

/// A stage of a Hadamard transform among n values of a thread: a + b and a - b of those `distance` apart.
template<int n>
__device__ void hadamard_stage(float (&v)[n], int distance) {
#pragma unroll
    for (int i = 0; i < n; ++i)
        if ((i & distance) == 0) {
            const float a = v[i];
            const float b = v[i + distance];
            v[i] = __fadd_rn(a, b);
            v[i + distance] = __fsub_rn(a, b);
        }
}
/// All of them, 1, 2, .. n / 2 apart.
template<int n>
__device__ void hadamard_stages(float (&v)[n]) {
#pragma unroll
    for (int distance = 1; distance < n; distance *= 2)
        hadamard_stage(v, distance);
}

/// H of the warp's 256 values / 16, in place; a lane holds 8 neighbours, so that three stages need no
/// exchange and five shuffle.
__device__ inline void hadamard_256(float (&v)[8]) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    hadamard_stages(v);
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2)
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const float other = __shfl_xor_sync(0xFFFFFFFFU, v[i], distance);
            v[i] = __fmaf_rn(v[i], (lane & distance) == 0 ? 1.0F : -1.0F, other); // other +- v[i]
        }
#pragma unroll
    for (float& value : v)
        value = __fmul_rn(value, 0.0625F); // 1 / sqrt(256)
}

/// Blocks of 256, a warp each. cols: a multiple of 256.
__device__ inline void hadamard_blocks_256(float* row, int cols) {
    for (int start = static_cast<int>(threadIdx.x) / 32 * 256; start < cols;
         start += static_cast<int>(blockDim.x) / 32 * 256) {
        auto* const mine = reinterpret_cast<float4*>(row + start + threadIdx.x % 32 * 8);
        const float4 lower = mine[0];
        const float4 upper = mine[1];
        float v[8] = {lower.x, lower.y, lower.z, lower.w, upper.x, upper.y, upper.z, upper.w};
        hadamard_256(v);
        mine[0] = make_float4(v[0], v[1], v[2], v[3]);
        mine[1] = make_float4(v[4], v[5], v[6], v[7]);
    }
    __syncthreads();
}

/// x <- diag(H, H, ...) x / sqrt(block), a + b and a - b as on the CPU, bit for bit.
__device__ inline void hadamard_blocks(float* row, int cols, int block) {
    if (block == 256) {
        hadamard_blocks_256(row, cols);
        return;
    }
    for (int half = 1; half < block; half *= 2) {
        for (int pair = threadIdx.x; pair < cols / 2; pair += blockDim.x) {
            const int i = pair / half * 2 * half + pair % half;
            const float a = row[i];
            const float b = row[i + half];
            row[i] = __fadd_rn(a, b);
            row[i + half] = __fsub_rn(a, b);
        }
        __syncthreads();
    }
    const float norm = __fdiv_rn(1.0F, __fsqrt_rn(static_cast<float>(block)));
    for (int i = threadIdx.x; i < cols; i += blockDim.x)
        row[i] = __fmul_rn(row[i], norm);
    __syncthreads();
}

/// The larger one; NaN where one is: in a row's codes it would vanish, in its scale it does not.
__device__ inline float max_or_nan(float a, float b) {
    float most;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(most) : "f"(a), "f"(b));
    return most;
}

/// max|x|, NaN where one is; scratch as block_combine's.
__device__ inline float largest_magnitude(const float* row, int cols, float* scratch) {
    float largest = 0.0F;
    for (int i = threadIdx.x; i < cols; i += blockDim.x)
        largest = max_or_nan(fabsf(row[i]), largest);
    return block_combine(largest, scratch, [](float a, float b) { return max_or_nan(a, b); });
}

/// A row's scale: s = max|x| * clip / q; 1 where that is too small to divide by, NaN where a number is.
__device__ inline float scale_of(float largest, float clip, float q) {
    const float scale = __fdiv_rn(__fmul_rn(largest, clip), q);
    return scale < FLT_MIN ? 1.0F : scale;
}

/// clamp(round_half_even(value / scale), -q, q)
__device__ inline std::int8_t code_of(float value, float scale, float q) {
    float code = rintf(__fdiv_rn(value, scale));
    code = code >= -q ? code : -q; // false for NaN
    code = code <= q ? code : q;
    return static_cast<std::int8_t>(code);
}

} // namespace quantscope::kernels
