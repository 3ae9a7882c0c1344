// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/rope.cuh"
#include "kernels/attention/split_attention.cuh"
#include "kernels/step/step_state.cuh"

namespace quantscope::kernels {

static_assert(attend_threads == step_threads);

/// The attention of one layer. RoPE and the KV append happen on the way: the item that holds a row's newest
/// key writes it.
template<int head_dim>
class StepAttention {
  public:
    static_assert(head_dim <= part_stats);
    static constexpr int part_size = split_part_size(head_dim);

    /// Shared memory, 16-byte aligned.
    static constexpr std::size_t shared_bytes(int group) {
        return SplitShared::bytes(head_dim, group) + 2 * head_dim * sizeof(__half) +
               group * part_size * sizeof(float);
    }

    __device__ StepAttention(const StepState& state, int layer, char* shared)
        : state_(state), s_(state.step), item_(state.first_item), keys_(s_.keys + layer * s_.cache_layer),
          values_(s_.values + layer * s_.cache_layer), tag_(state.tag(layer * linears_a_layer)),
          group_(s_.shape.attention.heads / s_.shape.attention.kv_heads),
          m_(reinterpret_cast<float*>(shared), head_dim, group_),
          new_(reinterpret_cast<__half*>(shared + SplitShared::bytes(head_dim, group_))),
          parts_(reinterpret_cast<float*>(new_ + 2 * head_dim)) {}

    /// Takes all items. What is cached does not depend on this step: an item's keys and values are asked for
    /// before its queries are waited for. Ends with a barrier.
    __device__ void run() {
        const int grid = static_cast<int>(gridDim.x);
        const int items = AttentionItem::number_of(s_);
#pragma unroll 1
        for (int item = static_cast<int>(blockIdx.x); item < items; item += grid) {
            if (item >= grid)
                item_ = AttentionItem(s_, state_.slots, state_.positions, item);
            tile_.load(keys_ + item_.at, values_ + item_.at, item_.cached());
            if (item_.count > 0)
                attend();
            StepBarrier()(); // what comes next writes what this read
        }
    }

  private:
    __device__ void attend() {
        rotate();
        StepBarrier()();
        if (item_.newest)
            tile_.put(item_.count - 1, new_, new_ + head_dim);
        tile_.attend(m_, group_, item_.count, 1.0F / sqrtf(static_cast<float>(head_dim)), parts_, part_size,
                     StepBarrier());
        StepBarrier()();
        hand_over();
    }

    /// Queries into shared memory; the newest key and value there and into the cache.
    __device__ void rotate() {
        constexpr int half = head_dim / 2;
        const AttentionShape& a = s_.shape.attention;
        const Tagged* const row =
            state_.exchanged(0) + static_cast<std::size_t>(item_.row) * state_.map.qkv_row;
        const float* const cosines = s_.cosines + static_cast<std::size_t>(item_.position) * half;
        const float* const sines = s_.sines + static_cast<std::size_t>(item_.position) * half;
        const int heads = item_.newest ? group_ + 2 : group_; // queries, then key, then value
#pragma unroll 1
        for (int i = threadIdx.x; i < heads * half; i += step_threads) {
            const int h = i / half;
            const int d = i % half;
            const int head = h < group_    ? item_.kv_head * group_ + h
                             : h == group_ ? a.heads + item_.kv_head
                                           : a.heads + a.kv_heads + item_.kv_head;
            const float cosine = cosines[d];
            const float sine = sines[d];
            float2 pair = await_two(row + head * head_dim + d, half);
            if (h <= group_)
                pair = rotate_pair(pair.x, pair.y, cosine, sine);
            if (h < group_) {
                m_.query[h * head_dim + d] = pair.x;
                m_.query[h * head_dim + d + half] = pair.y;
                continue;
            }
            __half* const cache = (h == group_ ? keys_ : values_) + item_.at + (item_.count - 1) * head_dim;
            __half* const fresh = new_ + (h - group_) * head_dim;
            cache[d] = fresh[d] = __float2half_rn(pair.x);
            cache[d + half] = fresh[d + half] = __float2half_rn(pair.y);
        }
    }

    /// at[0] and at[apart]. Whole warps.
    __device__ float2 await_two(const Tagged* at, int apart) const {
        Tagged first = 0;
        Tagged second = 0;
        unsigned polls = 0;
        bool there = true;
        do {
            first = look(at);
            second = look(at + apart);
            there = __all_sync(0xFFFFFFFFU, tag_of(first) == tag_ && tag_of(second) == tag_);
        } while (ask_again(there, polls));
        return {value_of(first), value_of(second)};
    }

    /// The item's parts to whom joins them.
    __device__ void hand_over() const {
        const AttentionShape& a = s_.shape.attention;
        const int first_head = item_.row * a.heads + item_.kv_head * group_;
#pragma unroll 1
        for (int i = threadIdx.x; i < group_ * (head_dim + 2); i += step_threads) {
            const int g = i / (head_dim + 2);
            const int d = i % (head_dim + 2);
            Tagged* const part =
                state_.exchanged(state_.map.parts) +
                ((static_cast<std::size_t>(first_head) + g) * s_.splits + item_.split) * part_words;
            publish(part + (d < head_dim ? place_of(d, log_pairs_of_hidden) : part_stats + d - head_dim),
                    parts_[g * part_size + d], tag_);
        }
    }

    const StepState& state_;
    const DecodeStep& s_;
    AttentionItem item_;
    __half* keys_;
    __half* values_;
    unsigned tag_;
    int group_;
    SplitShared m_;
    __half* new_;  ///< [2][head_dim]: the newest key and value
    float* parts_; ///< [group][part_size]
    SplitTile<head_dim> tile_;
};

/// Joins the splits of attended heads, a warp a head: join_splits, four dimensions a lane.
template<int head_dim>
class SplitJoin {
  public:
    __device__ SplitJoin(const StepState& state, int layer)
        : state_(state), tag_(state.tag(layer * linears_a_layer)) {}

    /// The warp's first head, of those of all rows; the next are a grid's warps apart. Blocks after those
    /// that have the last items begin, so that few have to do both.
    __device__ static int first(const StepState& state) {
        const int grid = static_cast<int>(gridDim.x);
        const int block = static_cast<int>(blockIdx.x) - state.first_joiner;
        return (block < 0 ? block + grid : block) + static_cast<int>(threadIdx.x) / 32 * grid;
    }
    __device__ void run() {
        const DecodeStep& s = state_.step;
        const int heads = s.shape.attention.heads;
#pragma unroll 1
        for (int i = first(state_); i < s.rows * heads; i += static_cast<int>(gridDim.x) * step_warps)
            join(i / heads, i % heads);
    }

  private:
    static constexpr int together = 3; ///< splits that are asked for at once

    struct Part {
        float2 pairs[2]; ///< four dimensions
        float2 stats;    ///< the largest score, the weight
    };

    __device__ static int dimension() {
        return static_cast<int>(threadIdx.x) % 32 * 4;
    }

    /// `count` parts from `from` on.
    __device__ void await_parts(const Tagged* from, int count, Part (&parts)[together]) const {
        float2 pairs[3 * together];
        const auto place = [&](int i) { // in place of what is not wanted: the first
            const int of_lane = i % 3 < 2 ? lane_place() + i % 3 * 64 : part_stats;
            return from + (i / 3 < count ? i / 3 * part_words : 0) + of_lane;
        };
        await_pairs(place, tag_, pairs);
#pragma unroll
        for (int i = 0; i < together; ++i)
            parts[i] = {{pairs[3 * i], pairs[3 * i + 1]}, pairs[3 * i + 2]};
    }
    __device__ static int lane_place() {
        return dimension() < head_dim ? place_of(dimension(), log_pairs_of_hidden) : 0;
    }

    __device__ void join(int row, int head) const {
        const DecodeStep& s = state_.step;
        const int splits = state_.slots[row] < 0 ? 0 : splits_of(state_.positions[row] + 1);
        const Tagged* const from =
            state_.exchanged(state_.map.parts) +
            (static_cast<std::size_t>(row) * s.shape.attention.heads + head) * s.splits * part_words;
        float peak = -INFINITY;
        Part parts[together];
        if (splits > 0 && splits <= together) {
            await_parts(from, splits, parts);
#pragma unroll
            for (int i = 0; i < together; ++i)
                peak = i < splits ? fmaxf(peak, parts[i].stats.x) : peak;
        } else {
#pragma unroll 1
            for (int i = 0; i < splits; ++i)
                peak = fmaxf(peak, await(from + i * part_words + part_stats, tag_));
        }
        float4 sum{0.0F, 0.0F, 0.0F, 0.0F};
        float weight = 0.0F;
#pragma unroll 1
        for (int first = 0; first < splits; first += together) {
            if (splits > together)
                await_parts(from + first * part_words, min(together, splits - first), parts);
#pragma unroll
            for (int i = 0; i < together; ++i)
                if (first + i < splits)
                    add(parts[i], peak, sum, weight);
        }
        if (splits > 0)
            sum = {__fdiv_rn(sum.x, weight), __fdiv_rn(sum.y, weight), __fdiv_rn(sum.z, weight),
                   __fdiv_rn(sum.w, weight)};
        hand_over(row, head, sum);
    }

    static __device__ void add(const Part& part, float peak, float4& sum, float& weight) {
        const float rescale = exponential(__fsub_rn(part.stats.x, peak));
        sum.x = __fmaf_rn(part.pairs[0].x, rescale, sum.x);
        sum.y = __fmaf_rn(part.pairs[0].y, rescale, sum.y);
        sum.z = __fmaf_rn(part.pairs[1].x, rescale, sum.z);
        sum.w = __fmaf_rn(part.pairs[1].y, rescale, sum.w);
        weight = __fmaf_rn(part.stats.y, rescale, weight);
    }

    __device__ void hand_over(int row, int head, const float4& four) const {
        if (dimension() >= head_dim)
            return;
        Tagged* const to = state_.exchanged(state_.map.attended) + row * state_.map.attended_row +
                           place_of(head * head_dim + dimension(), log_pairs_of_hidden);
        publish_pair(to, four.x, four.y, tag_);
        publish_pair(to + 64, four.z, four.w, tag_);
    }

    const StepState& state_;
    unsigned tag_;
};

} // namespace quantscope::kernels
