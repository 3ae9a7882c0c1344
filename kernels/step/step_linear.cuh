// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/gemm/stream_gemm.h"
#include "kernels/step/step_shared.cuh"

namespace quantscope::kernels {

/// One linear's products of this block: out[row][n] for the rows of the step.
struct LinearTask {
    int linear;
    Epilogue epilogue; ///< not store_f16
    int rows;
    float* out; ///< [rows][out_cols]
    int out_cols;
};

/// Lane 4g + t's operands of a column tile: k 16t .. 16t + 15 of input row g, or of the last one.
/// @param codes  where this lane's row stands, from operands_of
template<WeightFormat format>
__device__ void load_codes(const char* codes, int col_tile, std::uint32_t (&words)[Tile<format>::act_words]) {
    const auto* const at = reinterpret_cast<const uint4*>(codes + col_tile * 16 * Tile<format>::act_words);
#pragma unroll
    for (int v = 0; v < Tile<format>::act_words / 4; ++v) {
        const uint4 vector = at[v];
        words[4 * v] = vector.x;
        words[4 * v + 1] = vector.y;
        words[4 * v + 2] = vector.z;
        words[4 * v + 3] = vector.w;
    }
}

/// The sums of a set of row tiles over the warps, in shared memory, twice: while one is finished, the next
/// set is summed in the other. Integers are added where they stand (exact in any order) and the reader leaves
/// zeros; halves are kept a warp and added in the order of the warps.
template<WeightFormat format, int row_slots>
struct SetSums {
    using Acc = typename Tile<format>::Acc;
    static constexpr bool ordered = format == WeightFormat::f16;
    static constexpr int tile_size = 16 * row_slots; ///< outputs of a row tile: [16][row_slots]
    static constexpr int tile_stride = tile_size * (ordered ? step_warps : 1);

    /// Lane 4g + t holds rows g and g + 8, columns 2t and 2t + 1.
    static __device__ void put(Acc* tile, const Acc (&acc)[4]) {
        const int warp = static_cast<int>(threadIdx.x) / 32;
        const int lane = static_cast<int>(threadIdx.x) % 32;
        const int column = lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (column + i % 2 >= row_slots)
                continue;
            Acc* const at = tile + (lane / 4 + i / 2 * 8) * row_slots + column + i % 2;
            if constexpr (ordered)
                at[warp * tile_size] = acc[i];
            else
                atomicAdd(at, acc[i]);
        }
    }

    static __device__ Acc take(Acc* at) {
        Acc sum = 0;
        if constexpr (ordered) {
#pragma unroll
            for (int w = 0; w < step_warps; ++w)
                sum += at[w * tile_size];
        } else {
            sum = *at;
            *at = 0;
        }
        return sum;
    }
};

template<WeightFormat format>
__device__ float scaled(typename Tile<format>::Acc acc, float act_scale, float weight_scale) {
    if constexpr (format == WeightFormat::f16)
        return acc;
    else // the CPU engine's order of operations: (s_x * s_w) * acc
        return __fmul_rn(__fmul_rn(act_scale, weight_scale), __int2float_rn(Tile<format>::finish(acc)));
}

/// Output `index` of a row tile: packed row index % 16 of input row index / 16. Whole warps. A row tile
/// beyond the last only has channels beyond the last, which are not written.
template<WeightFormat format, class Map, int row_slots>
__device__ void finish_tile(const LinearTask& task, int row_tile, int local_tile,
                            typename Tile<format>::Acc* tile, int index) {
    constexpr bool codes = format != WeightFormat::f16;
    const int row = index / 16;
    const int in_tile = index % 16;
    const float act_scale = codes ? Map::template at<float>(Map::scales)[row] : 1.0F;
    const float weight_scale =
        codes ? Map::template at<float>(Map::weight_scales)[local_tile * 16 + in_tile] : 1.0F;
    const auto sum = SetSums<format, row_slots>::take(tile + in_tile * row_slots + row);
    const float y = scaled<format>(sum, act_scale, weight_scale);
    const float up = __shfl_down_sync(0xFFFFFFFFU, y, 8); // silu_mul: 8 gate rows, then their up rows
    const bool silu = task.epilogue == Epilogue::silu_mul;
    const int channel = silu ? row_tile * 8 + in_tile : row_tile * 16 + in_tile;
    if (row >= task.rows || channel >= task.out_cols || (silu && in_tile >= 8))
        return;
    float* const to = task.out + static_cast<std::size_t>(row) * task.out_cols + channel;
    if (silu)
        *to = silu_times(y, up);
    else if (task.epilogue == Epilogue::add_residual)
        *to = Map::template at<float>(Map::residual)[(local_tile * task.rows + row) * 16 + in_tile] + y;
    else
        *to = y;
}

/// Products of the warp's group of column tiles with two row tiles, which wait for memory together.
/// @param codes  as load_codes; @param count  column tiles from the group's first on, more or fewer than it
/// has
template<WeightFormat format, class Ring>
__device__ void multiply_group(const Ring& ring, const typename Ring::Place& first,
                               const typename Ring::Place& second, const char* codes, int group, int count,
                               typename Tile<format>::Acc (&acc)[2][4]) {
    using T = Tile<format>;
    constexpr int tiles = group_tiles(format);
    uint4 weights[2][tiles * T::vectors];
    ring.read(first, weights[0]);
    ring.read(second, weights[1]);
#pragma unroll
    for (int i = 0; i < tiles; ++i) {
        std::uint32_t act[T::act_words] = {};
        if (i < count) // else zeros: no products
            load_codes<format>(codes, group * tiles + i, act);
#pragma unroll
        for (int m = 0; m < 2; ++m) {
            uint4 tile[T::vectors];
#pragma unroll
            for (int v = 0; v < T::vectors; ++v)
                tile[v] = weights[m][i * T::vectors + v];
            T::multiply(acc[m], tile, act);
        }
    }
}

/// Sums a set of row tiles over the warps, in buffer 0 or 1, and writes its outputs. @param first_tile  of
/// the set, of `row_tiles`; @param local_tile  its number among the block's
template<WeightFormat format, class Map, int row_slots>
__device__ void finish_set(const LinearTask& task, int first_tile, int row_tiles, int local_tile, int buffer,
                           const typename Tile<format>::Acc (&acc)[set_tiles][4]) {
    using Acc = typename Tile<format>::Acc;
    using Sums = SetSums<format, row_slots>;
    static_assert(2 * set_tiles * Sums::tile_stride * sizeof(Acc) <= Map::sums_bytes);
    const int grid = static_cast<int>(gridDim.x);
    Acc* const sums = Map::template at<Acc>(Map::sums) + buffer * set_tiles * Sums::tile_stride;
#pragma unroll
    for (int member = 0; member < set_tiles; ++member)
        if (first_tile + member * grid < row_tiles)
            Sums::put(sums + member * Sums::tile_stride, acc[member]);
    StepBarrier()(); // the other buffer is free: its readers passed the barrier before this one
    // Warps take turns at finishing, so that none falls behind.
    constexpr int outputs = set_tiles * Sums::tile_size;
    const int thread = (static_cast<int>(threadIdx.x) + local_tile / set_tiles * outputs) % step_threads;
    const int member = thread / Sums::tile_size;
    if (thread < outputs)
        finish_tile<format, Map, row_slots>(task, first_tile + member * grid, local_tile + member,
                                            sums + member * Sums::tile_stride, thread % Sums::tile_size);
}

/// All row tiles of this block, a set between two barriers. Ends with the grid barrier's arrive().
/// @tparam Map  SharedMap of the kernel
template<WeightFormat format, class Map, int row_slots>
__device__ __noinline__ void multiply_linear(LinearTask task) {
    using T = Tile<format>;
    static_assert(set_tiles == 2);
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int grid = static_cast<int>(gridDim.x);
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    StepState& state = *Map::template at<StepState>(Map::state);
    const auto ring = Map::ring();
    typename Map::Ring::Place place{state.ring_stage, state.ring_parity};
    const LinearKind& kind = plan.kind(task.linear);
    const int groups = kind.groups;
    const int col_tiles = kind.col_tiles;
    const int row_tiles = kind.row_tiles;
    const char* codes = step_shared() + Map::codes + lane % 4 * T::act_words * 4;
    if constexpr (row_slots > 1) // columns of rows that are not there are never written
        codes += min(lane / 4, task.rows - 1) * Map::code_stride(col_tiles * 64, format == WeightFormat::f16);
    int buffer = state.buffer;
    int local_tile = 0;
    for (int first = plan.linears[task.linear].first_tile; first < row_tiles;
         first += set_tiles * grid, local_tile += set_tiles, buffer ^= 1) {
        typename T::Acc acc[set_tiles][4] = {};
        const bool both = first + grid < row_tiles;
        for (int group = warp; group - warp < groups; group += step_warps) {
            typename Map::Ring::Place next = place; // without a second tile the first again, never used
            if (both)
                next.advance();
            const int count = col_tiles - group * group_tiles(format);
            if (count > 0) // else the chunk has nothing for this warp
                multiply_group<format>(ring, place, next, codes, group, count, acc);
            ring.release(place, next, both);
            place = next;
            place.advance();
        }
        finish_set<format, Map, row_slots>(task, first, row_tiles, local_tile, buffer, acc);
    }
    state.barrier.arrive();
    if (threadIdx.x == 0) { // read after the next barrier
        state.buffer = buffer;
        state.ring_stage = place.stage;
        state.ring_parity = place.parity;
    }
}

} // namespace quantscope::kernels
