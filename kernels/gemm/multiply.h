// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/gemm/stream_gemm.h"

namespace quantscope::kernels {

/// The layout in which multiply() wants the rows of a product. Its kernels give the same bits for integers;
/// for halves each layout has its own order of summing, so that a pass must not choose by its size: decode
/// passes have rows, prefill passes slabs (where the device has wgmma).
Status row_layout_for(WeightFormat format, int batch, bool prefill, RowLayout& layout);

/// As stream_gemm(), for any number of rows: picks the kernel by layout and batch. A row's result does not
/// depend on how many rows are multiplied with it.
Status multiply(const StreamGemm& gemm, cudaStream_t stream);

/// Where q, k and v go, and the tables of rotate_and_append().
struct HeadAppend {
    AttentionRows rows;
    const float* cosines = nullptr;
    const float* sines = nullptr;
};

/// The product that makes q, k and v (gemm.out: append.rows.qkv), then rotate_and_append(); where the device
/// has wgmma and rows are many as one kernel, which writes no k and v but those of the cache. The same bits.
Status multiply_and_append(const StreamGemm& gemm, const HeadAppend& append, cudaStream_t stream);

} // namespace quantscope::kernels
