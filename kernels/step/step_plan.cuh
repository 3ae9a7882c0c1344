// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/fragments.cuh"
#include "kernels/step/decode_step.h"

namespace quantscope::kernels {

/// What a warp multiplies at once: 2 KiB of neighbouring column tiles of one row tile; and the warps' groups
/// together, which are neighbours too.
constexpr int group_bytes = 2048;
constexpr int chunk_bytes = step_warps * group_bytes;
__host__ __device__ constexpr int group_tiles(WeightFormat format) {
    return group_bytes / tile_bytes(format);
}

constexpr int max_step_linears = 4 * 40 + 1;

/// One kind of linear, as the blocks walk it.
struct LinearKind {
    int row_tiles;
    int col_tiles;
    int groups;    ///< of column tiles, of one row tile
    int rounds;    ///< groups of a warp, of one row tile
    int row_bytes; ///< of a row tile

    __device__ void set(const StepShape& shape, int linear, WeightFormat format) {
        row_tiles = shape.row_tiles(linear);
        col_tiles = shape.col_tiles(linear);
        groups = (col_tiles + group_tiles(format) - 1) / group_tiles(format);
        rounds = (groups + step_warps - 1) / step_warps;
        row_bytes = col_tiles * tile_bytes(format);
    }
};

/// All linears of a step, in shared memory: which row tiles are this block's (first, first + grid, ...) and
/// where they are. Each linear goes on with the block after the one that took the last tile of the linear
/// before, so that all blocks read the same.
struct StepPlan {
    struct Entry {
        const std::uint8_t* tiles;
        const float* scales; ///< null for halves
        const float* gamma;  ///< of the norm before it, or null
        int first_tile;
        int tiles_here; ///< row tiles of the block
    };
    LinearKind kinds[linears_a_layer + 1]; ///< lm_head last
    int last;                              ///< lm_head's number
    Entry linears[1];                      ///< [linears of the model]

    __host__ __device__ static constexpr int bytes(int linears) {
        return static_cast<int>(sizeof(StepPlan) + linears * sizeof(Entry));
    }

    /// All threads; the caller sets a barrier.
    __device__ void fill(const DecodeStep& s) {
        const int count = s.shape.linears();
        const int grid = static_cast<int>(gridDim.x);
        for (int i = threadIdx.x; i < count; i += step_threads) {
            const int before = static_cast<int>(s.shape.tiles_before(i) % grid);
            const bool head = i + 1 == count;
            const StepLayer& layer = s.layers[head ? 0 : i / linears_a_layer];
            const int first = (static_cast<int>(blockIdx.x) + grid - before) % grid;
            linears[i] = {head ? s.head_tiles : layer.tiles[i % linears_a_layer],
                          head || s.format == WeightFormat::f16 ? nullptr : layer.scales[i % linears_a_layer],
                          head ? s.final_gamma
                               : gamma_of(layer, static_cast<StepLinear>(i % linears_a_layer)),
                          first, (s.shape.row_tiles(i) - first + grid - 1) / grid};
        }
        if (threadIdx.x < linears_a_layer)
            kinds[threadIdx.x].set(s.shape, threadIdx.x, s.format);
        if (threadIdx.x == linears_a_layer)
            kinds[threadIdx.x].set(s.shape, count - 1, WeightFormat::f16);
        if (threadIdx.x == 0)
            last = count - 1;
    }

    static __device__ const float* gamma_of(const StepLayer& layer, StepLinear linear) {
        return linear == StepLinear::qkv       ? layer.input_gamma
               : linear == StepLinear::gate_up ? layer.mlp_gamma
                                               : nullptr;
    }

    __device__ int count() const { return last + 1; }
    __device__ int kind_of(int linear) const {
        return linear == last ? linears_a_layer : linear % linears_a_layer;
    }
    __device__ const LinearKind& kind(int linear) const { return kinds[kind_of(linear)]; }
    __device__ bool has_tiles(int linear) const { return linears[linear].tiles_here > 0; }
    /// The block's tile number `local` of a linear, or -1.
    __device__ int row_tile(int linear, int local) const {
        const int tile = linears[linear].first_tile + local * static_cast<int>(gridDim.x);
        return tile < kind(linear).row_tiles ? tile : -1;
    }
};

} // namespace quantscope::kernels
