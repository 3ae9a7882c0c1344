// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

#include <cuda_runtime.h>

namespace quantscope::kernels {

/// Prints the rate of wgmma_gemm at 2,048 rows on the four linears of Llama-2-7B in each weight format,
/// beside cuBLASLt's where that is found: same quantized normal data, f32 or s32 out, three copies of the
/// weights in turn. Medians of interleaved rounds, where all run at one clock; and each alone for some time,
/// at the clock that the power limit leaves it.
Status bench_many_rows(cudaStream_t stream);

} // namespace quantscope::kernels
