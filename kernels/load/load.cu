// SPDX-License-Identifier: Apache-2.0
#include "kernels/load/load.h"

namespace quantscope::kernels {
namespace {

constexpr int threads = 256;

unsigned blocks_for(std::size_t count) {
    const std::size_t blocks = (count + threads - 1) / threads;
    return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

__device__ float widened(FileType type, const void* raw, std::size_t i) {
    if (type == FileType::f32)
        return static_cast<const float*>(raw)[i];
    if (type == FileType::f16)
        return __half2float(static_cast<const __half*>(raw)[i]);
    return __uint_as_float(static_cast<std::uint32_t>(static_cast<const std::uint16_t*>(raw)[i]) << 16);
}

__global__ void widen_kernel(FileType type, const void* raw, std::size_t count, float* out,
                             std::uint32_t* found) {
    bool finite = true;
    for (std::size_t i = blockIdx.x * std::size_t{threads} + threadIdx.x; i < count;
         i += gridDim.x * std::size_t{threads}) {
        const float value = widened(type, raw, i);
        finite = finite && isfinite(value);
        out[i] = value;
    }
    if (!finite)
        atomicOr(found, found_not_finite);
}

__global__ void narrow_kernel(const float* x, std::size_t count, __half* out, std::uint32_t* found) {
    bool fits = true;
    for (std::size_t i = blockIdx.x * std::size_t{threads} + threadIdx.x; i < count;
         i += gridDim.x * std::size_t{threads}) {
        const __half value = __float2half_rn(x[i]);
        fits = fits && !__hisinf(value);
        out[i] = value;
    }
    if (!fits)
        atomicOr(found, found_too_large);
}

__global__ void scale_columns_kernel(float* x, std::size_t count, int cols, const float* factors) {
    for (std::size_t i = blockIdx.x * std::size_t{threads} + threadIdx.x; i < count;
         i += gridDim.x * std::size_t{threads})
        x[i] = __fmul_rn(x[i], factors[i % cols]);
}

/// Grid (column groups, blocks of rows). Shared: [block][columns].
__global__ void rotate_columns_kernel(float* x, int cols, int block, int columns, const float* signs) {
    extern __shared__ float tile[];
    const int first_row = static_cast<int>(blockIdx.y) * block;
    const int first_col = static_cast<int>(blockIdx.x) * columns;
    const int width = min(columns, cols - first_col);
    const int count = block * columns;
    const auto at = [&](int i) {
        return static_cast<std::size_t>(first_row + i / columns) * cols + first_col + i % columns;
    };
    for (int i = threadIdx.x; i < count; i += threads)
        if (i % columns < width)
            tile[i] = signs != nullptr ? __fmul_rn(x[at(i)], signs[first_row + i / columns]) : x[at(i)];
    __syncthreads();
    for (int half = 1; half < block; half *= 2) {
        for (int i = threadIdx.x; i < count / 2; i += threads) {
            const int pair = i / columns;
            const int upper = (pair / half * 2 * half + pair % half) * columns + i % columns;
            if (i % columns >= width)
                continue;
            const float a = tile[upper];
            const float b = tile[upper + half * columns];
            tile[upper] = __fadd_rn(a, b);
            tile[upper + half * columns] = __fsub_rn(a, b);
        }
        __syncthreads();
    }
    const float norm = __fdiv_rn(1.0F, __fsqrt_rn(static_cast<float>(block)));
    for (int i = threadIdx.x; i < count; i += threads)
        if (i % columns < width)
            x[at(i)] = __fmul_rn(tile[i], norm);
}

} // namespace

Status widen(FileType type, const void* raw, std::size_t count, float* out, std::uint32_t* found,
             cudaStream_t stream) {
    return launch("widen", widen_kernel, dim3(blocks_for(count)), dim3(threads), 0, {stream}, type, raw,
                  count, out, found);
}

Status narrow(const float* x, std::size_t count, __half* out, std::uint32_t* found, cudaStream_t stream) {
    return launch("narrow", narrow_kernel, dim3(blocks_for(count)), dim3(threads), 0, {stream}, x, count, out,
                  found);
}

Status scale_columns(float* x, int rows, int cols, const float* factors, cudaStream_t stream) {
    const std::size_t count = static_cast<std::size_t>(rows) * cols;
    return launch("scale_columns", scale_columns_kernel, dim3(blocks_for(count)), dim3(threads), 0, {stream},
                  x, count, cols, factors);
}

Status rotate_columns(float* x, int rows, int cols, int block, const float* signs, cudaStream_t stream) {
    constexpr int shared_floats = 16 * 1024; // 64 KiB, which every architecture from 8.0 on gives a block
    int columns = 32;
    while (columns > 1 && columns * block > shared_floats)
        columns /= 2;
    const dim3 grid((cols + columns - 1) / columns, rows / block);
    return launch("rotate_columns", rotate_columns_kernel, grid, dim3(threads),
                  static_cast<std::size_t>(columns) * block * sizeof(float), {stream}, x, cols, block,
                  columns, signs);
}

} // namespace quantscope::kernels
