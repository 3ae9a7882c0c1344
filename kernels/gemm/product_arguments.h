// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/stream_gemm.h"

namespace quantscope::kernels {

/// What a kernel of a product is given; a kernel that needs more derives from it.
struct ProductArguments {
    const std::uint8_t* tiles;
    const float* weight_scales;
    const std::uint8_t* activations; ///< in StreamGemm's layout
    const float* act_scales;
    void* out;
    int rows;
    int row_tiles;
    int col_tiles;
    int batch;
};

inline ProductArguments product_arguments(const StreamGemm& gemm) {
    const PackedWeights& weights = *gemm.weights;
    return {weights.tiles.data(),
            weights.scales.data(),
            static_cast<const std::uint8_t*>(gemm.activations),
            gemm.act_scales,
            gemm.out,
            weights.rows,
            weights.row_tiles(),
            weights.col_tiles(),
            gemm.batch};
}

} // namespace quantscope::kernels
