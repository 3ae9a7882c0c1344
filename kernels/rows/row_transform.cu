// SPDX-License-Identifier: Apache-2.0
#include "kernels/rows/row_transform.h"

#include "kernels/base/device.cuh"

#include <algorithm>
#include <cfloat>

namespace quantscope::kernels {
namespace {

/// Blocks of 256, a warp each: a lane holds 8 neighbours, so that three stages need no exchange and five
/// shuffle.
__device__ void hadamard_blocks_256(float* row, int cols) {
    const int lane = threadIdx.x % 32;
    const float norm = __fdiv_rn(1.0F, __fsqrt_rn(256.0F));
    for (int start = static_cast<int>(threadIdx.x) / 32 * 256; start < cols;
         start += static_cast<int>(blockDim.x) / 32 * 256) {
        auto* const mine = reinterpret_cast<float4*>(row + start + lane * 8);
        const float4 lower = mine[0];
        const float4 upper = mine[1];
        float v[8] = {lower.x, lower.y, lower.z, lower.w, upper.x, upper.y, upper.z, upper.w};
#pragma unroll
        for (int half = 1; half < 8; half *= 2)
#pragma unroll
            for (int i = 0; i < 8; ++i)
                if ((i & half) == 0) {
                    const float a = v[i];
                    const float b = v[i + half];
                    v[i] = __fadd_rn(a, b);
                    v[i + half] = __fsub_rn(a, b);
                }
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2)
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const float other = __shfl_xor_sync(0xFFFFFFFFU, v[i], distance);
                v[i] = (lane & distance) == 0 ? __fadd_rn(v[i], other) : __fsub_rn(other, v[i]);
            }
#pragma unroll
        for (float& value : v)
            value = __fmul_rn(value, norm);
        mine[0] = make_float4(v[0], v[1], v[2], v[3]);
        mine[1] = make_float4(v[4], v[5], v[6], v[7]);
    }
    __syncthreads();
}

/// In place on shared memory; a + b and a - b as on the CPU, so the result is the same bit for bit.
__device__ void hadamard_blocks(float* row, int cols, int block) {
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

__device__ float inverse_rms(const float* row, int cols, float eps, float* scratch) {
    float squares = 0.0F;
    for (int i = threadIdx.x; i < cols; i += blockDim.x)
        squares = __fmaf_rn(row[i], row[i], squares);
    squares = block_combine(squares, scratch, [](float a, float b) { return a + b; });
    return __fdiv_rn(1.0F, __fsqrt_rn(__fadd_rn(__fdiv_rn(squares, static_cast<float>(cols)), eps)));
}

__device__ std::int8_t code_of(float value, float scale, float q) {
    float code = rintf(__fdiv_rn(value, scale)); // half to even
    code = code >= -q ? code : -q;               // false for NaN
    code = code <= q ? code : q;
    return static_cast<std::int8_t>(code);
}

__device__ void store_codes(const RowTransform& t, const float* row, float* scratch) {
    float largest = 0.0F;
    for (int i = threadIdx.x; i < t.cols; i += blockDim.x) {
        const float magnitude = fabsf(row[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    largest = block_combine(largest, scratch, [](float a, float b) { return b > a ? b : a; });
    const auto q = static_cast<float>(t.largest_code);
    float scale = __fdiv_rn(__fmul_rn(largest, t.clip), q);
    scale = scale >= FLT_MIN ? scale : 1.0F;
    if (threadIdx.x == 0)
        t.scales[blockIdx.x] = scale;
    const int padded = padded_cols(t.cols);
    auto* const out = static_cast<char4*>(t.out) + static_cast<std::size_t>(blockIdx.x) * (padded / 4);
    const auto code = [&](int i) -> std::int8_t { return i < t.cols ? code_of(row[i], scale, q) : 0; };
    for (int i = threadIdx.x; i < padded / 4; i += blockDim.x)
        out[i] = make_char4(code(4 * i), code(4 * i + 1), code(4 * i + 2), code(4 * i + 3));
}

__device__ void store_halves(const RowTransform& t, const float* row) {
    const int padded = padded_cols(t.cols);
    auto* const out = static_cast<__half2*>(t.out) + static_cast<std::size_t>(blockIdx.x) * (padded / 2);
    const auto value = [&](int i) { return i < t.cols ? row[i] : 0.0F; };
    for (int i = threadIdx.x; i < padded / 2; i += blockDim.x)
        out[i] = __floats2half2_rn(value(2 * i), value(2 * i + 1));
}

/// One block a row.
__global__ void transform_rows_kernel(const RowTransform t) {
    extern __shared__ __align__(16) float row[]; // [cols]
    __shared__ float scratch[2][32];
    let_next_kernel_start();
    wait_for_previous_kernel();
    const std::size_t from = t.rows_of != nullptr ? t.rows_of[blockIdx.x] : blockIdx.x;
    const float* const x = t.x + from * t.cols;
    if (t.cols % 4 == 0) {
        for (int i = threadIdx.x; i < t.cols / 4; i += blockDim.x)
            reinterpret_cast<float4*>(row)[i] = reinterpret_cast<const float4*>(x)[i];
    } else {
        for (int i = threadIdx.x; i < t.cols; i += blockDim.x)
            row[i] = x[i];
    }
    __syncthreads();
    if (t.normalize) {
        const float inverse = inverse_rms(row, t.cols, t.eps, scratch[0]);
        for (int i = threadIdx.x; i < t.cols; i += blockDim.x) {
            const float y = __fmul_rn(row[i], inverse);
            row[i] = t.gamma != nullptr ? __fmul_rn(y, t.gamma[i]) : y;
        }
    }
    if (t.signs != nullptr)
        for (int i = threadIdx.x; i < t.cols; i += blockDim.x)
            row[i] = __fmul_rn(row[i], t.signs[i]);
    __syncthreads();
    if (t.hadamard_block > 1)
        hadamard_blocks(row, t.cols, t.hadamard_block);
    if (t.store == RowStore::codes) {
        store_codes(t, row, scratch[1]);
    } else if (t.store == RowStore::f16) {
        store_halves(t, row);
    } else {
        auto* const out = static_cast<float*>(t.out) + static_cast<std::size_t>(blockIdx.x) * t.cols;
        for (int i = threadIdx.x; i < t.cols; i += blockDim.x)
            out[i] = row[i];
    }
}

} // namespace

Status transform_rows(const RowTransform& transform, const Launch& how) {
    if (transform.rows == 0)
        return {};
    const int threads = std::clamp((transform.cols / 4 + 31) / 32 * 32, 64, 1024);
    return launch("transform_rows", transform_rows_kernel, dim3(transform.rows), dim3(threads),
                  static_cast<std::size_t>(transform.cols) * sizeof(float), how, transform);
}

} // namespace quantscope::kernels
