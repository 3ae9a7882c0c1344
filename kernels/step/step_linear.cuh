// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/gemm/stream_gemm.h"
#include "kernels/step/step_shared.cuh"

namespace quantscope::kernels {

/// A lane's operands of a column tile: k 16t .. 16t + 15 of an input row; zeros unless `there`.
template<WeightFormat format>
__device__ void load_codes(const char* from, bool there, std::uint32_t (&words)[Tile<format>::act_words]) {
#pragma unroll
    for (int v = 0; v < Tile<format>::act_words / 4; ++v) {
        const uint4 four = there ? reinterpret_cast<const uint4*>(from)[v] : uint4{0, 0, 0, 0};
        words[4 * v] = four.x;
        words[4 * v + 1] = four.y;
        words[4 * v + 2] = four.z;
        words[4 * v + 3] = four.w;
    }
}

/// The sums of a set of row tiles over the warps, in shared memory, twice: while one set is finished, the
/// next is summed in the other half. A warp's sums are kept and added in the order of the warps; integers of
/// several rows are added where they stand (exact in any order) and the reader leaves zeros.
template<WeightFormat format, int row_slots>
struct SetSums {
    using Acc = typename Tile<format>::Acc;
    static constexpr bool kept = format == WeightFormat::f16 || row_slots == 1;
    static constexpr int tile_size = 16 * row_slots; ///< outputs of a row tile: [16][row_slots]
    static constexpr int tile_stride = tile_size * (kept ? step_warps : 1);

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
            if constexpr (kept)
                at[warp * tile_size] = acc[i];
            else
                atomicAdd(at, acc[i]);
        }
    }

    static __device__ Acc take(Acc* at) {
        Acc sum = 0;
        if constexpr (kept) {
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

/// The place of a set; sets take turns at two. @param set  a linear's first takes the turn after the last
/// linear's
template<WeightFormat format, class Map, int row_slots>
__device__ typename Tile<format>::Acc* sums_of_set(int set) {
    using Sums = SetSums<format, row_slots>;
    return Map::template at<typename Tile<format>::Acc>(Map::sums) +
           set % 2 * (Map::set_tiles(format) * Sums::tile_stride);
}

template<WeightFormat format>
__device__ float scaled(typename Tile<format>::Acc acc, float act_scale, float weight_scale) {
    if constexpr (format == WeightFormat::f16)
        return acc;
    else // the CPU engine's order of operations: (s_x * s_w) * acc
        return __fmul_rn(__fmul_rn(act_scale, weight_scale), __int2float_rn(Tile<format>::finish(acc)));
}

/// Output `index` of a row tile: packed row index % 16 of input row index / 16. Whole warps. A row tile
/// beyond the last only has channels beyond the last, which are not written.
/// @param scale_tile  the row tile's number among those with weight scales
template<WeightFormat format, class Map, int row_slots>
__device__ void finish_tile(int linear, int row_tile, int local_tile, int scale_tile,
                            typename Tile<format>::Acc* tile, int index) {
    constexpr bool codes = format != WeightFormat::f16;
    const int row = index / 16;
    const int in_tile = index % 16;
    const float act_scale = codes ? Map::scales_of(linear)[row] : 1.0F;
    const float weight_scale =
        codes ? Map::template at<float>(Map::weight_scales)[scale_tile % weight_scale_slots * 16 + in_tile]
              : 1.0F;
    const auto sum = SetSums<format, row_slots>::take(tile + in_tile * row_slots + row);
    float y = scaled<format>(sum, act_scale, weight_scale);
    const float up = __shfl_down_sync(0xFFFFFFFFU, y, 8); // silu_mul: 8 gate rows, then their up rows
    const StepState& state = *Map::template at<StepState>(Map::state);
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const int rows = row_slots == 1 ? 1 : state.step.rows;
    const LinearOutput& output = state.outputs[plan.kind_of(linear)];
    const bool silu = output.epilogue == Epilogue::silu_mul;
    const int channel = silu ? row_tile * 8 + in_tile : row_tile * 16 + in_tile;
    if (row >= rows || channel >= output.cols || (silu && in_tile >= 8))
        return;
    if (output.to == nullptr) {
        state.step.logits[static_cast<std::size_t>(row) * output.cols + channel] = y;
        return;
    }
    if (silu)
        y = silu_times(y, up);
    else if (output.epilogue == Epilogue::add_residual)
        y = Map::template at<float>(Map::residual)[(local_tile * rows + row) * 16 + in_tile] + y;
    publish(output.to + row * output.row_words + place_of(channel, output.log_pairs), y, state.tag(linear));
    if (linear == plan.last - 1)
        state.step.residual[static_cast<std::size_t>(row) * output.cols + channel] = y;
}

/// Gives out the outputs of set number `set` of the block's row tiles of a linear, which the warps have put
/// into the sums.
template<WeightFormat format, class Map, int row_slots>
__device__ void finish_set(int linear, int set) {
    using Sums = SetSums<format, row_slots>;
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const StepState& state = *Map::template at<StepState>(Map::state);
    constexpr int outputs = Map::set_tiles(format) * Sums::tile_size;
    const int first = set * Map::set_tiles(format); // of the block's row tiles
    const int left = plan.linears[linear].tiles_here - first;
    const StepPosition& position = state.positions_before[linear % 2];
    auto* const sums = sums_of_set<format, Map, row_slots>(position.set + set);
    // Warps take turns at finishing, so that none falls behind.
    int thread = (static_cast<int>(threadIdx.x) + first * Sums::tile_size) % step_threads;
#pragma unroll 1
    for (; thread < outputs; thread += step_threads) {
        const int member = thread / Sums::tile_size;
        if (thread / 32 * 32 / Sums::tile_size < left) // of the warp's first
            finish_tile<format, Map, row_slots>(
                linear, plan.linears[linear].first_tile + (first + member) * static_cast<int>(gridDim.x),
                first + member, position.scale_tile + first + min(member, left - 1),
                sums + member * Sums::tile_stride, thread % Sums::tile_size);
    }
}

/// The linear that codes are ready for: all row tiles of this block, a set between two barriers; after the
/// last barrier nothing reads the codes.
/// @tparam Map  SharedMap of the kernel
template<WeightFormat format, class Map, int row_slots>
__device__ void multiply_linear(int linear) {
    using T = Tile<format>;
    using Acc = typename T::Acc;
    using Sums = SetSums<format, row_slots>;
    constexpr bool f16 = format == WeightFormat::f16;
    constexpr int tiles = group_tiles(format);
    constexpr int set_tiles = Map::set_tiles(format);
    constexpr int code_bytes = 16 * T::act_words; // of a column tile
    constexpr int round_bytes = step_warps * tiles * code_bytes;
    constexpr int chains = f16 ? 1 : 2; // of products that wait for one another; integers add in any order
    static_assert(2 * set_tiles * Sums::tile_stride * sizeof(Acc) <= Map::sums_bytes);
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const StepPlan::Entry& entry = plan.linears[linear];
    StepState& state = *Map::template at<StepState>(Map::state);
    const StepPosition& position = state.positions_before[linear % 2];
    const LinearKind& kind = plan.kind(linear);
    const auto ring = Map::ring();
    typename Map::Ring::Place place{position.ring_stage, position.ring_parity};
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const char* codes = step_shared() + Map::codes + warp * tiles * code_bytes + lane % 4 * (code_bytes / 4);
    if constexpr (row_slots > 1) // columns of rows that are not there are never written
        codes += min(lane / 4, state.step.rows - 1) * Map::code_stride(kind.col_tiles * 64, f16);
    const int rounds = kind.rounds;
    // Column tiles of the warp's last group of a row tile; may be none. Of one row zeros stand for the
    // others.
    const int last_count = kind.col_tiles - ((rounds - 1) * step_warps + warp) * tiles;

    int set = 0;
#pragma unroll 1
    for (int left = entry.tiles_here; left > 0; left -= set_tiles, ++set) {
        auto* sums = sums_of_set<format, Map, row_slots>(position.set + set);
#pragma unroll 1
        for (int tile = min(left, set_tiles); tile > 0; --tile, sums += Sums::tile_stride) {
            Acc acc[chains][4] = {};
#pragma unroll 1
            for (int round = 0; round < rounds; ++round) {
                const int count = round + 1 < rounds ? tiles : last_count;
                const std::uint32_t group = ring.group(place);
                if ((row_slots == 1 && !f16) || count > 0) { // halves that nobody wrote may be NaN
                    uint4 weights[tiles][T::vectors];
                    std::uint32_t act[tiles][T::act_words];
#pragma unroll
                    for (int i = 0; i < tiles; ++i) {
#pragma unroll
                        for (int v = 0; v < T::vectors; ++v)
                            weights[i][v] = Map::Ring::vector(group, i * T::vectors + v);
                        load_codes<format>(codes + round * round_bytes + i * code_bytes,
                                           row_slots == 1 || i < count, act[i]);
                    }
#pragma unroll
                    for (int i = 0; i < tiles; ++i)
                        T::multiply(acc[i % chains], weights[i], act[i]);
                }
                ring.release(place);
                place.advance();
            }
#pragma unroll
            for (int i = 0; i < 4 && chains > 1; ++i)
                acc[0][i] += acc[chains - 1][i];
            Sums::put(sums, acc[0]);
        }
        StepBarrier()(); // the other place is free: its readers passed the barrier before this one
        finish_set<format, Map, row_slots>(linear, set);
    }
    if (threadIdx.x == 0) // read after a barrier of what is prepared next
        state.positions_before[(linear + 1) % 2] = {place.stage, place.parity, position.set + set,
                                                    position.scale_tile + (f16 ? 0 : entry.tiles_here)};
}

} // namespace quantscope::kernels
