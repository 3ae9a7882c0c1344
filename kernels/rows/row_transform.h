// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/launch.h"
#include "kernels/rows/row_layout.h"

#include <cstdint>
#include <cuda_fp16.h>

namespace quantscope::kernels {

/// How the rows that a product reads are stored.
enum class RowStore {
    f32,   ///< [rows][cols], may be the input itself
    f16,   ///< [rows][padded cols], zero padded
    codes, ///< int8 codes [rows][padded cols], zero padded, and a scale a row; times 2^code_shift()
};

/// Rows of f32 on their way to a product, one pass for each row:
///   RMSNorm (optional)      x <- x / sqrt(mean(x^2) + eps) * gamma
///   signs (optional)        x <- x * signs
///   block Hadamard          x <- diag(H, H, ...) x / sqrt(block), as engine/schemes/hadamard.h
///   store                   codes: s = max|x| * clip / q, code = clamp(round_half_even(x / s), -q, q)
/// Every operation is an IEEE single one in the order of engine/schemes/quantize.h, so that the same row
/// gives the same codes and scale as on the CPU, bit for bit.
struct RowTransform {
    const float* x = nullptr;              ///< [*][cols]
    const std::int32_t* rows_of = nullptr; ///< [rows]: row i reads x row rows_of[i]; null: row i
    int rows = 0;
    int cols = 0;
    bool normalize = false;
    const float* gamma = nullptr; ///< [cols]; null: ones
    float eps = 0.0F;
    const float* signs = nullptr; ///< [cols]; null: ones
    int hadamard_block = 1;       ///< power of two that divides cols; 1: none
    RowStore store = RowStore::codes;
    RowLayout layout = RowLayout::rows; ///< of halves and codes
    void* out = nullptr;
    float* scales = nullptr; ///< [rows], codes only
    int largest_code = 127;  ///< q
    float clip = 1.0F;
};

/// Columns that f16 and code rows are padded to.
constexpr int padded_cols(int cols) {
    return (cols + 63) / 64 * 64;
}

/// Errors: unsupported (a row does not fit a block's shared memory), failed.
Status transform_rows(const RowTransform& transform, const Launch& how);

} // namespace quantscope::kernels
