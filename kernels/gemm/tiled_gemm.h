// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/stream_gemm.h"

namespace quantscope::kernels {

/// As stream_gemm(), for any batch: blocks multiply tiles of weight rows by tiles of batch rows on tensor
/// cores, so that weights are read once for many rows. The result is stream_gemm()'s bit for bit: integer
/// sums are exact, and halves are summed in the same order.
Status tiled_gemm(const StreamGemm& gemm, cudaStream_t stream);

} // namespace quantscope::kernels
