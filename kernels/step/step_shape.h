// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/gemm/packed_weights.h"

namespace quantscope::kernels {

constexpr int step_warps = 16; ///< of a block; also stream_gemm's, whose interleaved sums halves keep
constexpr int step_threads = step_warps * 32; ///< that multiply; one more warp brings the weights

/// The linears of a layer, in the order of a step; after all layers comes lm_head.
enum class StepLinear { qkv, o_proj, gate_up, down_proj };
constexpr int linears_a_layer = 4;

/// Sizes of a model, as the step kernel walks it. Weights are numbered: linear 4 * layer + StepLinear,
/// lm_head last.
struct StepShape {
    int layers = 0;
    int hidden = 0;
    int intermediate = 0;
    int vocab = 0;
    AttentionShape attention;

    __host__ __device__ int linears() const { return layers * linears_a_layer + 1; }
    __host__ __device__ int attended() const { return attention.heads * attention.head_dim; }
    /// Output rows; of gate_up both halves.
    __host__ __device__ int rows(int linear) const {
        if (linear == layers * linears_a_layer)
            return vocab;
        switch (static_cast<StepLinear>(linear % linears_a_layer)) {
        case StepLinear::qkv: return attention.qkv_size();
        case StepLinear::gate_up: return 2 * intermediate;
        default: return hidden;
        }
    }
    __host__ __device__ int cols(int linear) const {
        if (linear == layers * linears_a_layer)
            return hidden;
        switch (static_cast<StepLinear>(linear % linears_a_layer)) {
        case StepLinear::o_proj: return attended();
        case StepLinear::down_proj: return intermediate;
        default: return hidden;
        }
    }
    __host__ __device__ int row_tiles(int linear) const { return (rows(linear) + 15) / 16; }
    __host__ __device__ int col_tiles(int linear) const { return (cols(linear) + 63) / 64; }
    /// Row tiles of all linears before this one.
    __host__ __device__ long long tiles_before(int linear) const {
        const int in_layer = linear % linears_a_layer;
        long long tiles = 0;
        for (int i = 0; i < linears_a_layer; ++i)
            tiles +=
                static_cast<long long>(row_tiles(i)) * (linear / linears_a_layer + (i < in_layer ? 1 : 0));
        return tiles;
    }
};

} // namespace quantscope::kernels
