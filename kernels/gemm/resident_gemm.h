// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/stream_gemm.h"

namespace quantscope::kernels {

/// As stream_gemm() for integer weights and few rows, on Hopper: a block holds all activations in its
/// registers, and its warps' rings of bulk copies are larger and emptied several times faster than memory
/// fills them, so that what arrived while the kernel before still ran costs no time. Integer sums are exact:
/// the result is every other kernel's, bit for bit.
Status resident_gemm(const StreamGemm& gemm, cudaStream_t stream);

/// Whether the device and the shape suit: up to 8 rows and 12,288 columns, or 16 and 4,096.
Status resident_gemm_fits(const StreamGemm& gemm, bool& fits);

} // namespace quantscope::kernels
