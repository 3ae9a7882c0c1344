// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/gemm/stream_gemm.h"
#include "kernels/step/step_shared.cuh"

namespace quantscope::kernels {

/// A lane's operands of a column tile of halves: k 16t .. 16t + 15 of the input row.
__device__ inline void load_halves(const char* from, std::uint32_t (&words)[8]) {
#pragma unroll
    for (int v = 0; v < 2; ++v) {
        const uint4 four = reinterpret_cast<const uint4*>(from)[v];
        words[4 * v] = four.x;
        words[4 * v + 1] = four.y;
        words[4 * v + 2] = four.z;
        words[4 * v + 3] = four.w;
    }
}

/// The sums of a set of row tiles over the warps, in shared memory, twice: while one set is finished, the
/// next is summed in the other half. A warp's sums are kept and added in the order of the warps.
template<WeightFormat format>
struct SetSums {
    using Acc = typename Tile<format>::Acc;
    static constexpr int tile_stride = 16 * step_warps; ///< of a row tile: [step_warps][16]

    static __device__ Acc take(const Acc* at) {
        Acc sum = 0;
#pragma unroll
        for (int w = 0; w < step_warps; ++w)
            sum += at[w * 16];
        return sum;
    }
};

/// The place of a set; sets take turns at two. @param set  a linear's first takes the turn after the last
/// linear's
template<WeightFormat format, class Map>
__device__ typename Tile<format>::Acc* sums_of_set(int set) {
    using Sums = SetSums<format>;
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

/// Output number `in_tile` of a row tile. Whole warps. A row tile beyond the last only has channels beyond
/// the last, which are not written.
/// @param scale_tile  the row tile's number among those with weight scales
template<WeightFormat format, class Map>
__device__ void finish_tile(int linear, int row_tile, int local_tile, int scale_tile,
                            const typename Tile<format>::Acc* tile, int in_tile) {
    constexpr bool codes = format != WeightFormat::f16;
    const float act_scale = codes ? *Map::template at<float>(Map::scales) : 1.0F;
    const float weight_scale =
        codes ? Map::template at<float>(Map::weight_scales)[scale_tile % weight_scale_slots * 16 + in_tile]
              : 1.0F;
    float y = scaled<format>(SetSums<format>::take(tile + in_tile), act_scale, weight_scale);
    const float up = __shfl_down_sync(0xFFFFFFFFU, y, 8); // silu_mul: 8 gate rows, then their up rows
    const StepState& state = *Map::template at<StepState>(Map::state);
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const LinearOutput& output = state.outputs[plan.kind_of(linear)];
    const bool silu = output.epilogue == Epilogue::silu_mul;
    const int channel = silu ? row_tile * 8 + in_tile : row_tile * 16 + in_tile;
    if (channel >= output.cols || (silu && in_tile >= 8))
        return;
    if (output.to == LinearOutput::To::logits) {
        state.step.logits[channel] = y;
        return;
    }
    if (silu)
        y = silu_times(y, up);
    else if (output.epilogue == Epilogue::add_residual)
        y = Map::template at<float>(Map::residual)[local_tile * 16 + in_tile] + y;
    if (output.to == LinearOutput::To::plain)
        publish_plain(state.plain(linear / linears_a_layer) + output.plain +
                          (silu && codes ? plain_place_of_eight(channel) : channel),
                      y);
    else
        publish(state.exchanged(state.map.qkv) + channel, y, state.tag(linear));
    if (linear == plan.last - 1)
        state.step.residual[channel] = y;
}

/// Gives out the outputs of set number `set` of the block's row tiles of a linear, which the warps have put
/// into the sums.
template<WeightFormat format, class Map>
__device__ void finish_set(int linear, int set) {
    using Sums = SetSums<format>;
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const StepState& state = *Map::template at<StepState>(Map::state);
    constexpr int outputs = Map::set_tiles(format) * 16;
    const int first = set * Map::set_tiles(format); // of the block's row tiles
    const int left = plan.linears[linear].tiles_here - first;
    const StepPosition& position = state.positions_before[linear % 2];
    auto* const sums = sums_of_set<format, Map>(position.set + set);
    // Warps take turns at finishing, so that none falls behind.
    int thread = (static_cast<int>(threadIdx.x) + first * 16) % step_threads;
#pragma unroll 1
    for (; thread < outputs; thread += step_threads) {
        const int member = thread / 16;
        if (thread / 32 * 32 / 16 < left) // of the warp's first
            finish_tile<format, Map>(
                linear, plan.linears[linear].first_tile + (first + member) * static_cast<int>(gridDim.x),
                first + member, position.scale_tile + first + min(member, left - 1),
                sums + member * Sums::tile_stride, thread % 16);
    }
}

/// The linear that halves are ready for: all row tiles of this block, a set between two barriers; after the
/// last barrier nothing reads the halves.
/// @tparam Map  SharedMap of the kernel
template<class Map>
__device__ void multiply_halves(int linear) {
    constexpr WeightFormat format = WeightFormat::f16;
    using T = Tile<format>;
    using Sums = SetSums<format>;
    constexpr int tiles = group_tiles(format);
    constexpr int set_tiles = Map::set_tiles(format);
    constexpr int tile_bytes = 16 * T::act_words; // of halves
    constexpr int round_bytes = step_warps * tiles * tile_bytes;
    static_assert(2 * set_tiles * Sums::tile_stride * sizeof(float) <= Map::sums_bytes);
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const StepPlan::Entry& entry = plan.linears[linear];
    StepState& state = *Map::template at<StepState>(Map::state);
    const StepPosition& position = state.positions_before[linear % 2];
    const auto ring = Map::ring();
    typename Map::Ring::Place place{position.ring_stage, position.ring_parity};
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const char* const row =
        step_shared() + Map::codes + warp * tiles * tile_bytes + lane % 4 * (tile_bytes / 4);
    const int rounds = plan.kind(linear).rounds;
    // Column tiles of the warp's last group of a row tile; may be none.
    const int last_count = plan.kind(linear).col_tiles - ((rounds - 1) * step_warps + warp) * tiles;

    int set = 0;
#pragma unroll 1
    for (int left = entry.tiles_here; left > 0; left -= set_tiles, ++set) {
        float* sum = sums_of_set<format, Map>(position.set + set) + warp * 16 + lane / 4;
#pragma unroll 1
        for (int tile = min(left, set_tiles); tile > 0; --tile, sum += Sums::tile_stride) {
            float acc[4] = {};
#pragma unroll 1
            for (int round = 0; round < rounds; ++round) {
                const int count = round + 1 < rounds ? tiles : last_count;
                const std::uint32_t group = ring.group(place);
                if (count > 0) { // what nobody wrote may be NaN
                    uint4 weights[tiles][T::vectors];
                    std::uint32_t act[tiles][T::act_words];
#pragma unroll
                    for (int i = 0; i < tiles; ++i) {
#pragma unroll
                        for (int v = 0; v < T::vectors; ++v)
                            weights[i][v] = Map::Ring::vector(group, i * T::vectors + v);
                        load_halves(row + round * round_bytes + i * tile_bytes, act[i]);
                    }
#pragma unroll
                    for (int i = 0; i < tiles; ++i)
                        T::multiply(acc, weights[i], act[i]);
                }
                ring.release(place);
                place.advance();
            }
            if (lane % 4 == 0) { // all columns of the product are alike
                sum[0] = acc[0];
                sum[8] = acc[2];
            }
        }
        StepBarrier()(); // the other place is free: its readers passed the barrier before this one
        finish_set<format, Map>(linear, set);
    }
    if (threadIdx.x == 0) // read after a barrier of what is prepared next
        state.positions_before[(linear + 1) % 2] = {place.stage, place.parity, position.set + set,
                                                    position.scale_tile};
}

/// Codes of one input row, of a warp's columns of one round, in registers for all row tiles.
template<WeightFormat format, bool narrow>
class KeptCodes {
  public:
    static constexpr int tiles = group_tiles(format);
    using Weights = uint4[tiles][Tile<format>::vectors];

    /// @param from  of this lane in a tile: 16 codes, of which narrow ones are stored as BlockRow::store does
    __device__ void load(const char* from) {
#pragma unroll
        for (int i = 0; i < tiles; ++i)
            codes_[i] = *reinterpret_cast<const uint4*>(from + i * 64);
        if constexpr (narrow) {
            start_ = 0;
#pragma unroll
            for (int i = 0; i < tiles; ++i) {
                start_ = dot(0xF8F8F8F8U, codes_[i].x, start_);
                start_ = dot(0xF8F8F8F8U, codes_[i].z, start_);
            }
        }
    }

    /// Products of the lane's weights: of lane 4g + t rows g and g + 8, columns 16t .. 16t + 15 of each tile.
    /// int4: times 16, as Tile::multiply has them. High nibbles count 16 times by a mask; low ones by codes
    /// times 16, each with 8 added to it so that it is not negative, which start_ takes back.
    __device__ void multiply(const Weights& w, int (&dots)[2]) const {
        dots[0] = dots[1] = start_;
#pragma unroll
        for (int i = 0; i < tiles; ++i) {
            const uint4& c = codes_[i];
            if constexpr (format == WeightFormat::int4) {
                add(low(w[i][0].x), low(w[i][0].y), c.x, dots);
                add(high(w[i][0].x), high(w[i][0].y), c.y, dots);
                add(low(w[i][0].z), low(w[i][0].w), c.z, dots);
                add(high(w[i][0].z), high(w[i][0].w), c.w, dots);
            } else {
                add(w[i][0].x, w[i][0].y, c.x, dots);
                add(w[i][0].z, w[i][0].w, c.y, dots);
                add(w[i][1].x, w[i][1].y, c.z, dots);
                add(w[i][1].z, w[i][1].w, c.w, dots);
            }
        }
    }

  private:
    static __device__ int dot(std::uint32_t weights, std::uint32_t codes, int sum) {
        return __dp4a(static_cast<int>(weights), static_cast<int>(codes), sum);
    }
    static __device__ void add(std::uint32_t first, std::uint32_t second, std::uint32_t codes,
                               int (&dots)[2]) {
        dots[0] = dot(first, codes, dots[0]);
        dots[1] = dot(second, codes, dots[1]);
    }
    /// Of narrow codes (w ^ 0x08080808) & 0x0F0F0F0F, in one instruction.
    static __device__ std::uint32_t low(std::uint32_t w) {
        if constexpr (!narrow)
            return w << 4 & 0xF0F0F0F0U;
        std::uint32_t out;
        asm("lop3.b32 %0, %1, %2, %3, 0x28;" : "=r"(out) : "r"(w), "r"(0x08080808U), "r"(0x0F0F0F0FU));
        return out;
    }
    static __device__ std::uint32_t high(std::uint32_t w) {
        return w & 0xF0F0F0F0U;
    }

    uint4 codes_[tiles];
    int start_ = 0;
};

/// Sums `dots` of four lanes; lane 4g + t keeps row g + 8 (t % 2).
__device__ inline int sum_of_quad(const int (&dots)[2]) {
    const bool odd = threadIdx.x % 2 == 1;
    int sum = odd ? dots[1] : dots[0];
    sum += __shfl_xor_sync(0xFFFFFFFFU, odd ? dots[0] : dots[1], 1);
    return sum + __shfl_xor_sync(0xFFFFFFFFU, sum, 2);
}

/// multiply_halves() of codes, which stay in registers while all row tiles of a set go by.
template<WeightFormat format, bool narrow, class Map>
__device__ void multiply_codes(int linear) {
    using Sums = SetSums<format>;
    using Kept = KeptCodes<format, narrow>;
    constexpr int set_tiles = Map::set_tiles(format);
    constexpr int warp_bytes = Kept::tiles * 64; // of codes
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const StepPlan::Entry& entry = plan.linears[linear];
    StepState& state = *Map::template at<StepState>(Map::state);
    const StepPosition& position = state.positions_before[linear % 2];
    const int rounds = plan.kind(linear).rounds;
    const auto ring = Map::ring();
    typename Map::Ring::Place place{position.ring_stage, position.ring_parity};
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const char* const codes = step_shared() + Map::codes + warp * warp_bytes + lane % 4 * 16;
    const int own_sum = warp * 16 + lane / 4 + lane % 2 * 8;

    int set = 0;
#pragma unroll 1
    for (int left = entry.tiles_here; left > 0; left -= set_tiles, ++set) {
        int* const sums = sums_of_set<format, Map>(position.set + set) + own_sum;
#pragma unroll 1
        for (int round = 0; round < rounds; ++round) {
            Kept kept;
            kept.load(codes + round * (step_warps * warp_bytes));
            int* sum = sums;
#pragma unroll 1
            for (int tile = min(left, set_tiles); tile > 0; --tile, sum += Sums::tile_stride) {
                const std::uint32_t group = ring.group(place);
                typename Kept::Weights weights;
#pragma unroll
                for (int i = 0; i < Kept::tiles * Tile<format>::vectors; ++i)
                    weights[i / Tile<format>::vectors][i % Tile<format>::vectors] =
                        Map::Ring::vector(group, i);
                int dots[2];
                kept.multiply(weights, dots);
                ring.release(place);
                place.advance();
                const int total = sum_of_quad(dots);
                if (lane % 4 < 2)
                    *sum = round > 0 ? *sum + total : total;
            }
        }
        StepBarrier()(); // the other place is free: its readers passed the barrier before this one
        finish_set<format, Map>(linear, set);
    }
    if (threadIdx.x == 0) // read after a barrier of what is prepared next
        state.positions_before[(linear + 1) % 2] = {place.stage, place.parity, position.set + set,
                                                    position.scale_tile + entry.tiles_here};
}

} // namespace quantscope::kernels
