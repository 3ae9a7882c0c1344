// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/stream_gemm.h"

namespace quantscope::kernels {

/// As stream_gemm(), for any number of rows: picks the kernel by the batch. Every kernel gives the same
/// result, bit for bit, so a row's result does not depend on how many rows are multiplied with it.
Status multiply(const StreamGemm& gemm, cudaStream_t stream);

} // namespace quantscope::kernels
