// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/multiply.h"

#include <algorithm>

namespace quantscope::kernels {
namespace {

/// Bytes of one row of the result.
std::size_t out_row_bytes(const StreamGemm& gemm) {
    const auto rows = static_cast<std::size_t>(gemm.weights->rows);
    switch (gemm.epilogue) {
    case Epilogue::store_f16: return rows * 2;
    case Epilogue::silu_mul: return rows / 2 * 4;
    case Epilogue::store_f32:
    case Epilogue::add_residual: break;
    }
    return rows * 4;
}

} // namespace

Status multiply(const StreamGemm& gemm, cudaStream_t stream) {
    const std::size_t element_bytes = gemm.weights->format == WeightFormat::f16 ? 2 : 1;
    const std::size_t row_bytes = static_cast<std::size_t>(gemm.weights->col_tiles()) * 64 * element_bytes;
    for (int first = 0; first < gemm.batch; first += max_stream_batch) {
        StreamGemm part = gemm;
        part.batch = std::min(max_stream_batch, gemm.batch - first);
        part.activations = static_cast<const char*>(gemm.activations) + first * row_bytes;
        part.act_scales = gemm.act_scales != nullptr ? gemm.act_scales + first : nullptr;
        part.out = static_cast<char*>(gemm.out) + first * out_row_bytes(gemm);
        part.overlap_previous = gemm.overlap_previous || first > 0;
        QS_TRY(stream_gemm(part, stream));
    }
    return {};
}

} // namespace quantscope::kernels
