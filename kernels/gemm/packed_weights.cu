// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/packed_weights.h"

namespace quantscope::kernels {
namespace {

/// The logical row that stands at `packed_row`, or -1 for padding.
__device__ int logical_row(RowOrder order, int packed_row, int rows) {
    if (order == RowOrder::plain)
        return packed_row < rows ? packed_row : -1;
    const int half_rows = rows / 2;
    const int in_tile = packed_row % 16;
    const int channel = packed_row / 16 * 8 + in_tile % 8;
    if (channel >= half_rows)
        return -1;
    return in_tile < 8 ? channel : half_rows + channel;
}

template<class T>
__device__ T element(const T* values, int row, int col, int cols) {
    return row >= 0 && col < cols ? values[static_cast<std::size_t>(row) * cols + col] : T{};
}

/// One warp a tile; grid (column tiles, row tiles).
__global__ void pack_int_kernel(WeightFormat format, RowOrder order, const std::int8_t* values, int rows,
                                int cols, std::uint8_t* tiles) {
    const int lane = threadIdx.x;
    const int g = lane / 4;
    const int k0 = static_cast<int>(blockIdx.x) * 64 + lane % 4 * 16;
    const int row_of[2] = {logical_row(order, blockIdx.y * 16 + g, rows),
                           logical_row(order, blockIdx.y * 16 + g + 8, rows)};
    const std::size_t tile = static_cast<std::size_t>(blockIdx.y) * gridDim.x + blockIdx.x;
    std::uint8_t* const out = tiles + tile * tile_bytes(format);
    for (int step = 0; step < 2; ++step) {
        for (int upper = 0; upper < 2; ++upper) { // rows g, then rows g + 8
            for (int i = 0; i < 4; ++i) {
                const int first = element(values, row_of[upper], k0 + 8 * step + i, cols);
                const int second = element(values, row_of[upper], k0 + 8 * step + 4 + i, cols);
                if (format == WeightFormat::int4) {
                    out[lane * 16 + (2 * step + upper) * 4 + i] =
                        static_cast<std::uint8_t>((first & 0xF) | ((second & 0xF) << 4));
                } else {
                    out[(step * 32 + lane) * 16 + upper * 4 + i] = static_cast<std::uint8_t>(first);
                    out[(step * 32 + lane) * 16 + 8 + upper * 4 + i] = static_cast<std::uint8_t>(second);
                }
            }
        }
    }
}

__global__ void pack_f16_kernel(RowOrder order, const __half* values, int rows, int cols,
                                std::uint8_t* tiles) {
    const int lane = threadIdx.x;
    const int g = lane / 4;
    const int k0 = static_cast<int>(blockIdx.x) * 64 + lane % 4 * 16;
    const std::size_t tile = static_cast<std::size_t>(blockIdx.y) * gridDim.x + blockIdx.x;
    auto* const out = reinterpret_cast<__half*>(tiles + tile * tile_bytes(WeightFormat::f16));
    for (int step = 0; step < 4; ++step) {
        for (int pair = 0; pair < 4; ++pair) { // a0: row g, a1: row g + 8, a2: row g, a3: row g + 8
            const int row = logical_row(order, blockIdx.y * 16 + g + 8 * (pair % 2), rows);
            for (int i = 0; i < 2; ++i)
                out[(step * 32 + lane) * 8 + pair * 2 + i] =
                    element(values, row, k0 + 4 * step + 2 * (pair / 2) + i, cols);
        }
    }
}

__global__ void pack_scales_kernel(RowOrder order, const float* scales, int rows, int padded, float* out) {
    const int packed_row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (packed_row >= padded)
        return;
    const int row = logical_row(order, packed_row, rows);
    out[packed_row] = row >= 0 ? scales[row] : 0.0F;
}

Status allocate(WeightFormat format, RowOrder order, int rows, int cols, PackedWeights& out) {
    out.format = format;
    out.order = order;
    out.rows = rows;
    out.cols = cols;
    return out.tiles.allocate(static_cast<std::size_t>(out.row_tiles()) * out.col_tiles() *
                              tile_bytes(format));
}

} // namespace

Status pack_weights(WeightFormat format, RowOrder order, const std::int8_t* values, const float* scales,
                    int rows, int cols, PackedWeights& out, cudaStream_t stream) {
    QS_TRY(allocate(format, order, rows, cols, out));
    const int padded = out.row_tiles() * 16;
    QS_TRY(out.scales.allocate(padded));
    const dim3 grid(out.col_tiles(), out.row_tiles());
    pack_int_kernel<<<grid, 32, 0, stream>>>(format, order, values, rows, cols, out.tiles.data());
    pack_scales_kernel<<<(padded + 255) / 256, 256, 0, stream>>>(order, scales, rows, padded,
                                                                 out.scales.data());
    QS_CUDA_TRY(cudaGetLastError(), "packing integer weights");
    return {};
}

Status pack_weights_f16(RowOrder order, const __half* values, int rows, int cols, PackedWeights& out,
                        cudaStream_t stream) {
    QS_TRY(allocate(WeightFormat::f16, order, rows, cols, out));
    const dim3 grid(out.col_tiles(), out.row_tiles());
    pack_f16_kernel<<<grid, 32, 0, stream>>>(order, values, rows, cols, out.tiles.data());
    QS_CUDA_TRY(cudaGetLastError(), "packing half weights");
    return {};
}

} // namespace quantscope::kernels
