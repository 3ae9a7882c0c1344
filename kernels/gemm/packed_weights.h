// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device_buffer.h"

#include <cstdint>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace quantscope::kernels {

enum class WeightFormat { int4, int8, f16 };

/// Which output row stands where in a packed matrix.
enum class RowOrder {
    plain,
    /// Rows 0..N/2-1 are gate_proj, N/2..N-1 up_proj; each tile of 16 holds 8 gate rows and the same 8 up
    /// rows, so that one thread ends with both and multiplies them.
    gate_up,
};

/// A weight matrix [rows][cols] in the order in which a warp's tensor core fragments want it.
///
/// Tiles of 16 rows x 64 columns, all tiles of 16 rows contiguous along the columns. In a tile, lane l = 4g +
/// t owns rows g and g + 8, columns 16t .. 16t + 15, as one (int4), two (int8) or four (f16) 16-byte vectors,
/// stored [vector][lane]: a warp reads 512 contiguous bytes an instruction, and needs no shuffle and no index
/// arithmetic. Rows are padded with zeros to 16, columns to 64.
///
///   int8, vector s: {row g, k 8s..8s+3} {row g+8, same} {row g, k 8s+4..8s+7} {row g+8, same} (mma.m16n8k32)
///   int4: words 2s, 2s+1 of the vector hold the four int8 registers of step s; a byte's low nibble belongs
///   to the
///         first k group and its high nibble to the second.
///   f16,  vector s: {row g, k 4s..4s+1} {row g+8, same} {row g, k 4s+2..4s+3} {row g+8, same} (mma.m16n8k16)
struct PackedWeights {
    WeightFormat format = WeightFormat::int4;
    RowOrder order = RowOrder::plain;
    int rows = 0;
    int cols = 0;
    DeviceBuffer<std::uint8_t> tiles;
    DeviceBuffer<float> scales; ///< [padded rows], in packed row order; empty for f16

    int row_tiles() const { return (rows + 15) / 16; }
    int col_tiles() const { return (cols + 63) / 64; }
    std::size_t bytes() const { return tiles.bytes() + scales.bytes(); }
};

/// Bytes of one 16 x 64 tile.
constexpr int tile_bytes(WeightFormat format) {
    return format == WeightFormat::int4 ? 512 : format == WeightFormat::int8 ? 1024 : 2048;
}

/// Packs integer weights on the device. @param values [rows][cols] int8 (in -7..7 for int4), @param scales
/// [rows]
Status pack_weights(WeightFormat format, RowOrder order, const std::int8_t* values, const float* scales,
                    int rows, int cols, PackedWeights& out, cudaStream_t stream);

/// Packs half weights on the device. @param values [rows][cols]
Status pack_weights_f16(RowOrder order, const __half* values, int rows, int cols, PackedWeights& out,
                        cudaStream_t stream);

} // namespace quantscope::kernels
