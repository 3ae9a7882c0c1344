// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/packed_weights.h"
#include "kernels/rows/row_layout.h"

namespace quantscope::kernels {

/// What becomes of a product once a row tile is summed.
enum class Epilogue {
    store_f16,    ///< out [batch][rows] __half
    store_f32,    ///< out [batch][rows] float
    add_residual, ///< out [batch][rows] float, added to what is there
    silu_mul,     ///< weights packed gate_up: out [batch][rows / 2] float = silu(gate) * up
};

struct HeadAppend;
struct SplitSums;

/// y[b][n] = act_scales[b] * weights.scales[n] * sum_k activations[b][k] * W[n][k], for a batch small enough
/// that reading the weights is the whole cost (decode).
struct StreamGemm {
    const PackedWeights* weights = nullptr;
    const void* activations =
        nullptr; ///< [batch][64 * col_tiles] int8 (int4, int8 weights) or __half (f16), zero padded
    const float* act_scales = nullptr; ///< [batch]; unused for f16
    int batch = 1;                     ///< 1 .. max_stream_batch
    void* out = nullptr;
    Epilogue epilogue = Epilogue::store_f16;
    /// Programmatic dependent launch: weights are prefetched while the kernel before still runs.
    bool overlap_previous = false;
    RowLayout layout = RowLayout::rows;    ///< of the activations; slabs: wgmma_gemm() takes them
    const SplitSums* split_sums = nullptr; ///< for wgmma_gemm() of few rows
    const HeadAppend* append = nullptr;    ///< for wgmma_gemm(): see multiply_and_append()
    int code_shift = 0;                    ///< of the activations, by code_shift()
};

constexpr int max_stream_batch = 32;

/// Integer products are exact and halves are summed in an order that depends on neither batch nor grid:
/// a row of the result is bit for bit the same at every batch size.
Status stream_gemm(const StreamGemm& gemm, cudaStream_t stream);

/// Whether the current device's blocks have the shared memory that stream_gemm needs for this batch.
Status stream_gemm_fits(WeightFormat format, int batch, bool& fits);

/// CPU reference of the integer product: acc[b][n] = sum_k x[b][k] * w[n][k], exact.
void reference_int_product(const std::int8_t* x, const std::int8_t* w, int batch, int rows, int cols,
                           std::int32_t* acc);

} // namespace quantscope::kernels
