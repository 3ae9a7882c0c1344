// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/features.h"
#include "kernels/gemm/stream_gemm.h"

namespace quantscope::kernels {

/// As stream_gemm() for rows in RowLayout::slabs and any batch, on Hopper's wgmma: weights stream from
/// packed tiles into the registers of a warpgroup, rows are read from shared memory.
///
/// Integer sums are exact: the result is every other kernel's, bit for bit. Halves are summed along the
/// columns in one order whatever the batch and blocking, which is not stream_gemm()'s.
/// @param variant  -1 picks by the shape; 0 .. wgmma_variants - 1 for checks and benchmarks
Status wgmma_gemm(const StreamGemm& gemm, cudaStream_t stream, int variant = -1);

/// Whether wgmma_gemm() of these rows (variant -1 or 0) takes gemm.append: heads of 128, and many rows.
Status wgmma_gemm_appends(const StreamGemm& gemm, const HeadAppend& append, bool& appends);

constexpr int wgmma_variants = 6;

/// Where blocks that share an integer tile along the columns leave their sums. One serves all products of a
/// stream, one after the other.
struct SplitSums {
    DeviceBuffer<std::int32_t> sums;
    DeviceBuffer<std::int32_t> arrived; ///< [tiles]; zero between products

    /// Nothing on devices without wgmma.
    Status allocate();
    std::size_t bytes() const { return sums.bytes() + arrived.bytes(); }
};

} // namespace quantscope::kernels
