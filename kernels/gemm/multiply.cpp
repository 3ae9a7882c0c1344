// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/multiply.h"

#include "kernels/gemm/resident_gemm.h"
#include "kernels/gemm/sweep_gemm.h"
#include "kernels/gemm/tiled_gemm.h"
#include "kernels/gemm/wgmma_gemm.h"

#include <algorithm>

namespace quantscope::kernels {

namespace {

/// Up to here reading the weights twice costs less than sharing them through larger tiles
/// (history/whole_step.md).
constexpr int max_pieces_batch = 64;
/// From here on sweep_gemm was measured faster than stream_gemm.
constexpr int min_sweep_batch = 3;
/// Up to here resident_gemm and sweep_gemm read weights faster than wgmma_gemm.
constexpr int max_stream_decode_batch = 16;

Status multiply_pieces(const StreamGemm& gemm, cudaStream_t stream) {
    const auto out_cols = static_cast<std::size_t>(
        gemm.epilogue == Epilogue::silu_mul ? gemm.weights->rows / 2 : gemm.weights->rows);
    const std::size_t out_bytes = out_cols * (gemm.epilogue == Epilogue::store_f16 ? 2 : 4);
    const std::size_t in_bytes = static_cast<std::size_t>(gemm.weights->col_tiles()) * 64 *
                                 (gemm.weights->format == WeightFormat::f16 ? 2 : 1);
    for (int first = 0; first < gemm.batch; first += max_stream_batch) {
        const auto at = static_cast<std::size_t>(first);
        StreamGemm piece = gemm;
        piece.batch = std::min(max_stream_batch, gemm.batch - first);
        piece.activations = static_cast<const char*>(gemm.activations) + at * in_bytes;
        piece.act_scales = gemm.act_scales != nullptr ? gemm.act_scales + first : nullptr;
        piece.out = static_cast<char*>(gemm.out) + at * out_bytes;
        piece.overlap_previous = gemm.overlap_previous || first > 0;
        QS_TRY(stream_gemm(piece, stream));
    }
    return {};
}

} // namespace

Status row_layout_for(WeightFormat format, int batch, bool prefill, RowLayout& layout) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const bool many = format != WeightFormat::f16 && batch > max_stream_decode_batch;
    layout = device->hopper && (prefill || many) ? RowLayout::slabs : RowLayout::rows;
    return {};
}

Status multiply(const StreamGemm& gemm, cudaStream_t stream) {
    if (gemm.layout == RowLayout::slabs)
        return wgmma_gemm(gemm, stream);
    bool fits = false;
    QS_TRY(resident_gemm_fits(gemm, fits));
    if (fits)
        return resident_gemm(gemm, stream);
    QS_TRY(sweep_gemm_fits(gemm, fits));
    if (fits && gemm.batch >= min_sweep_batch)
        return sweep_gemm(gemm, stream);
    QS_TRY(stream_gemm_fits(gemm.weights->format, std::min(gemm.batch, max_stream_batch), fits));
    return fits && gemm.batch <= max_pieces_batch ? multiply_pieces(gemm, stream) : tiled_gemm(gemm, stream);
}

Status multiply_and_append(const StreamGemm& gemm, const HeadAppend& append, cudaStream_t stream) {
    bool together = false;
    if (gemm.layout == RowLayout::slabs)
        QS_TRY(wgmma_gemm_appends(gemm, append, together));
    if (together) {
        StreamGemm both = gemm;
        both.append = &append;
        return wgmma_gemm(both, stream);
    }
    QS_TRY(multiply(gemm, stream));
    return rotate_and_append(append.rows, append.cosines, append.sines, {stream, gemm.overlap_previous});
}

} // namespace quantscope::kernels
