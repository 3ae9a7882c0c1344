// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/multiply.h"

#include "kernels/gemm/tiled_gemm.h"

namespace quantscope::kernels {

Status multiply(const StreamGemm& gemm, cudaStream_t stream) {
    return gemm.batch <= max_stream_batch ? stream_gemm(gemm, stream) : tiled_gemm(gemm, stream);
}

} // namespace quantscope::kernels
