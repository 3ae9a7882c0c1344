// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/gemm/stream_gemm.h"
#include "kernels/step/step_rows.cuh"
#include "kernels/step/step_shared.cuh"
#include "kernels/tokens/tokens.h"

#include <cfloat>

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
           set % 2 * (Map::set_tiles * Sums::tile_stride);
}

/// Ranks of logits are in the order of better ones: larger, or as large and of a lower number; 0 is worse
/// than all. One that is not finite is above all, so that the step's result tells of it.
__device__ inline unsigned long long rank_of_logit(float logit, int id) {
    if (!(fabsf(logit) <= FLT_MAX))
        return ~0ULL;
    const unsigned bits = __float_as_uint(__fadd_rn(logit, 0.0F)); // of -0 and 0 none is better
    const unsigned ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    return static_cast<unsigned long long>(ordered) << 32U | ~static_cast<unsigned>(id);
}
/// The number, or not_finite_id.
__device__ inline int logit_of_rank(unsigned long long rank) {
    return rank == ~0ULL ? not_finite_id : static_cast<int>(~static_cast<unsigned>(rank));
}
/// Keeps the best of all. Whole warps.
__device__ inline void offer_logit(unsigned long long* best, unsigned long long rank) {
    const auto high = static_cast<unsigned>(rank >> 32U);
    const unsigned highest = __reduce_max_sync(0xFFFFFFFFU, high);
    const unsigned low = __reduce_max_sync(0xFFFFFFFFU, high == highest ? static_cast<unsigned>(rank) : 0U);
    if (threadIdx.x % 32 == 0)
        asm volatile("red.relaxed.gpu.global.max.u64 [%0], %1;" ::"l"(best),
                     "l"(static_cast<unsigned long long>(highest) << 32U | low)
                     : "memory");
}

template<bool turned>
__device__ int place_of_inner(int channel) {
    return turned ? plain_place_of_eighth(channel) : plain_place_of_eight(channel);
}

/// One output of a set of row tiles: all about it that is known before the sums are, so that little is left
/// to do when all blocks wait for it.
template<WeightFormat format, bool turned, class Map>
class Finish {
  public:
    using Acc = typename Tile<format>::Acc;
    static constexpr bool codes = format != WeightFormat::f16;

    /// Whole warps. A row tile beyond the block's last only has channels beyond the last, which are not
    /// written.
    /// @param set  of the block's row tiles of the linear, @param thread  below the number of outputs of a
    /// set
    __device__ Finish(int linear, int set, const StepPosition& position, const Acc* sums, int thread)
        : tile_(sums + thread / 16 * SetSums<format>::tile_stride + thread % 16) {
        const StepState& state = *Map::template at<StepState>(Map::state);
        const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
        const StepPlan::Entry& entry = plan.linears[linear];
        const LinearOutput& output = state.outputs[plan.kind_of(linear)];
        const int in_tile = thread % 16;
        const int local_tile = set * Map::set_tiles + thread / 16;
        const int row_tile = entry.first_tile + local_tile * static_cast<int>(gridDim.x);
        to_ = output.to;
        tag_ = state.tag(linear);
        adds_ = output.epilogue == Epilogue::add_residual;
        last_ = linear == plan.last - 1;
        silu_ = output.epilogue == Epilogue::silu_mul;
        channel_ = silu_ ? row_tile * 8 + in_tile : row_tile * 16 + in_tile;
        there_ = channel_ < output.cols && !(silu_ && in_tile >= 8);
        if constexpr (codes) {
            const int scale_tile = position.scale_tile + min(local_tile, entry.tiles_here - 1);
            scale_ = __fmul_rn(
                *Map::template at<float>(Map::scales),
                Map::template at<float>(Map::weight_scales)[scale_tile % weight_scale_slots * 16 + in_tile]);
        }
        if (adds_)
            residual_ = Map::template at<float>(Map::residual)[local_tile * 16 + in_tile];
        out_ = to_ == LinearOutput::To::logits ? state.step.logits + channel_
               : to_ == LinearOutput::To::plain
                   ? state.plain(linear / linears_a_layer) + output.plain +
                         (silu_ && codes ? place_of_inner<turned>(channel_) : channel_)
                   : reinterpret_cast<float*>(state.exchanged(state.map.qkv) + channel_);
    }

    /// When the warps' sums are there.
    __device__ void run() const {
        const DecodeStep& step = Map::template at<StepState>(Map::state)->step;
        const Acc acc = SetSums<format>::take(tile_);
        float y = 0.0F;
        if constexpr (codes) // the CPU engine's order of operations: (s_x * s_w) * acc
            y = __fmul_rn(scale_, __int2float_rn(Tile<format>::finish(acc)));
        else
            y = acc;
        if (silu_) { // 8 gate rows, then their up rows
            y = silu_times(y, __shfl_down_sync(0xFFFFFFFFU, y, 8));
            if constexpr (turned)
                y = turn_eight(y);
        }
        if (to_ == LinearOutput::To::logits) {
            if (there_)
                *out_ = y;
            offer_logit(&step.counters->best, there_ ? rank_of_logit(y, channel_) : 0);
            return;
        }
        if (!there_)
            return;
        if (adds_)
            y = residual_ + y;
        if (to_ == LinearOutput::To::plain)
            publish_plain(out_, y);
        else
            publish(reinterpret_cast<Tagged*>(out_), y, tag_);
        if (last_)
            step.residual[channel_] = y;
    }

  private:
    const Acc* tile_; ///< sums of the warps for this output
    float* out_;
    LinearOutput::To to_;
    int channel_;
    float scale_ = 0.0F;    ///< of input and weights
    float residual_ = 0.0F; ///< what is added
    unsigned tag_;
    bool silu_;
    bool adds_;
    bool last_; ///< the output is the last residual
    bool there_;
};

/// Gives out the outputs of set number `set` of the block's row tiles of a linear when all warps have put
/// theirs into the sums.
template<WeightFormat format, bool turned, class Map>
__device__ void finish_set(int linear, int set, int left, const StepPosition& position) {
    constexpr int outputs = Map::set_tiles * 16;
    static_assert(outputs <= step_threads);
    // Warps take turns at finishing, so that none falls behind.
    const int thread = (static_cast<int>(threadIdx.x) + set * Map::set_tiles * 16) % step_threads;
    if (thread >= outputs || thread / 32 * 2 >= left) { // of the warp's first
        StepBarrier()();
        return;
    }
    const Finish<format, turned, Map> finish(linear, set, position,
                                             sums_of_set<format, Map>(position.set + set), thread);
    StepBarrier()();
    finish.run();
}

/// How far a block's products are before a linear: behind what is cached. After a barrier behind the linear
/// before.
template<class Ring>
__device__ StepPosition position_before(const StepState& state, int linear) {
    StepPosition position = state.positions_before[linear % 2];
    const int stage = position.ring_stage + state.cached.before(linear);
    position.ring_stage = stage % Ring::stages;
    position.ring_parity ^= stage / Ring::stages & 1;
    return position;
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
    constexpr int set_tiles = Map::set_tiles;
    constexpr int tile_bytes = 16 * T::act_words; // of halves
    constexpr int round_bytes = step_warps * tiles * tile_bytes;
    static_assert(2 * set_tiles * Sums::tile_stride * sizeof(float) <= Map::sums_bytes);
    const StepPlan& plan = *Map::template at<StepPlan>(Map::plan);
    const StepPlan::Entry& entry = plan.linears[linear];
    StepState& state = *Map::template at<StepState>(Map::state);
    const StepPosition position = position_before<typename Map::Ring>(state, linear);
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
        // The other place is free: its readers pass the barrier in here.
        finish_set<format, false, Map>(linear, set, left, position);
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

/// What a block needs to know to begin a linear of codes; read early, when there is something to wait for.
struct LinearStart {
    StepPosition position{};
    int tiles = 0; ///< row tiles of the block
    int rounds = 0;

    LinearStart() = default;
    __device__ LinearStart(const StepPosition& before, const StepPlan& plan, int linear)
        : position(before), tiles(plan.linears[linear].tiles_here),
          rounds(plan.kinds[linear % linears_a_layer].rounds) {}
};

/// multiply_halves() of codes, which stay in registers while all row tiles of a set go by.
template<WeightFormat format, bool narrow, bool turned, class Map>
__device__ void multiply_codes(int linear, const LinearStart& start) {
    using Sums = SetSums<format>;
    using Kept = KeptCodes<format, narrow>;
    constexpr int set_tiles = Map::set_tiles;
    constexpr int warp_bytes = Kept::tiles * 64; // of codes
    StepState& state = *Map::template at<StepState>(Map::state);
    const StepPosition& position = start.position;
    const int rounds = start.rounds;
    const auto ring = Map::ring();
    typename Map::Ring::Place place{position.ring_stage, position.ring_parity};
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const char* const codes = step_shared() + Map::codes + warp * warp_bytes + lane % 4 * 16;
    const int own_sum = warp * 16 + lane / 4 + lane % 2 * 8;

    int set = 0;
#pragma unroll 1
    for (int left = start.tiles; left > 0; left -= set_tiles, ++set) {
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
        // The other place is free: its readers pass the barrier in here.
        finish_set<format, turned, Map>(linear, set, left, position);
    }
    if (threadIdx.x == 0) // read after a barrier of what is prepared next
        state.positions_before[(linear + 1) % 2] = {place.stage, place.parity, position.set + set,
                                                    position.scale_tile + start.tiles};
}

} // namespace quantscope::kernels
