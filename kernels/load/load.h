// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/launch.h"

#include <cstdint>
#include <cuda_fp16.h>

/// What happens to weights between the file and their packed form, on the device and with the CPU's results,
/// bit for bit.
namespace quantscope::kernels {

enum class FileType { f32, f16, bf16 };

/// What a conversion found; bits of the word that it ORs into.
constexpr std::uint32_t found_not_finite = 1; ///< NaN or infinity in the input
constexpr std::uint32_t found_too_large = 2;  ///< beyond what a half holds

/// out[i] = raw[i] as f32, exactly.
Status widen(FileType type, const void* raw, std::size_t count, float* out, std::uint32_t* found,
             cudaStream_t stream);

/// out[i] = half(x[i]), to nearest even.
Status narrow(const float* x, std::size_t count, __half* out, std::uint32_t* found, cudaStream_t stream);

/// x[r][c] <- x[r][c] * factors[c] (the norm that is folded away).
Status scale_columns(float* x, int rows, int cols, const float* factors, cudaStream_t stream);

/// Down every column: x <- diag(H, H, ...) diag(signs) x, blocks of `block` rows. @param signs [rows] or null
Status rotate_columns(float* x, int rows, int cols, int block, const float* signs, cudaStream_t stream);

} // namespace quantscope::kernels
