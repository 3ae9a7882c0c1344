// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cuda_fp16.h>

/// Rows of packed f16 tiles (gemm/packed_weights.h), RowOrder::plain, as a table of embeddings.
namespace quantscope::kernels {

/// Where element (row, k) is.
__device__ inline std::size_t packed_half_at(int col_tiles, int row, int k) {
    const std::size_t tile = static_cast<std::size_t>(row / 16) * col_tiles + k / 64;
    const int lane = row % 8 * 4 + k % 64 / 16;
    const int step = k % 16 / 4;
    const int pair = k % 4 / 2 * 2 + row % 16 / 8;
    return tile * 1024 + (step * 32 + lane) * 8 + pair * 2 + k % 2;
}

/// Elements k .. k + 3, k a multiple of 4.
__device__ inline float4 four_of_packed_row(const __half* tiles, int col_tiles, int row, int k) {
    const auto* const pairs = reinterpret_cast<const __half2*>(tiles + packed_half_at(col_tiles, row, k));
    const float2 lower = __half22float2(pairs[0]);
    const float2 upper = __half22float2(pairs[2]);
    return {lower.x, lower.y, upper.x, upper.y};
}

} // namespace quantscope::kernels
