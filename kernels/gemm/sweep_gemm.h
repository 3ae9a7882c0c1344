// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/stream_gemm.h"

namespace quantscope::kernels {

/// As stream_gemm() for integer weights and up to max_sweep_batch rows: a block multiplies up to six row
/// tiles with each piece of the activations that it reads, where stream_gemm() reads all activations for
/// every row tile. Integer sums are exact: the result is every other kernel's, bit for bit.
Status sweep_gemm(const StreamGemm& gemm, cudaStream_t stream);

constexpr int max_sweep_batch = 16;

/// Whether the current device's blocks have the shared memory that sweep_gemm needs.
Status sweep_gemm_fits(const StreamGemm& gemm, bool& fits);

} // namespace quantscope::kernels
