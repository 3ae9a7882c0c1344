// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/rope.cuh"
#include "kernels/attention/split_attention.cuh"
#include "kernels/step/weight_stream.cuh"

namespace quantscope::kernels {

static_assert(attend_threads == step_threads);

/// The attention of one layer. RoPE and the KV append happen on the way: the item that holds a row's newest
/// key writes it.
template<int head_dim>
class StepAttention {
  public:
    static_assert(head_dim <= part_stats);
    // Keys; values in the other half.
    static_assert(split_keys * head_dim * sizeof(__half) <= chunk_bytes / 2);

    /// Shared memory, 16-byte aligned.
    static constexpr std::size_t shared_bytes(int group) {
        return SplitShared::bytes(head_dim, group) + 2 * head_dim * sizeof(__half) + 16 * sizeof(float);
    }

    __device__ StepAttention(const StepState& state, int layer, char* shared)
        : state_(state), s_(state.step), item_(state.first_item), keys_(s_.keys + layer * s_.cache_layer),
          values_(s_.values + layer * s_.cache_layer), tag_(state.tag(layer * linears_a_layer)),
          group_(s_.shape.attention.heads / s_.shape.attention.kv_heads),
          m_(reinterpret_cast<float*>(shared), head_dim, group_),
          new_(reinterpret_cast<__half*>(shared + SplitShared::bytes(head_dim, group_))),
          weights_(reinterpret_cast<float*>(new_ + 2 * head_dim)) {}

    /// Takes all items. Ends with a barrier.
    /// @param ring  brings CachedChunks, which do not depend on this step
    /// @param chunks  of the ring, shared memory
    /// @param linear  the one that attention comes before
    template<class Ring>
    __device__ void run(const Ring& ring, const char* chunks, int linear) {
        const int grid = static_cast<int>(gridDim.x);
        const int items = AttentionItem::number_of(s_);
        StepBarrier()(); // the position is known behind one
        const StepPosition& position = state_.positions_before[linear % 2];
        typename Ring::Place place{position.ring_stage, position.ring_parity};
#pragma unroll 1
        for (int item = static_cast<int>(blockIdx.x); item < items; item += grid) {
            if (item >= grid)
                item_ = AttentionItem(s_, item);
            const int cached = item_.cached();
            if (cached > 0)
                ring.await(place);
            const auto* const keys = reinterpret_cast<const __half*>(chunks + place.stage * chunk_bytes);
            tile_.load_shared(keys, keys + chunk_bytes / 4, cached);
            if (cached > 0) {
                ring.release(place);
                place.advance();
            }
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
        const float scale = 1.0F / sqrtf(static_cast<float>(head_dim));
#pragma unroll 1
        for (int g = 0; g < group_; ++g)
            tile_.score(m_.query + g * head_dim, item_.count, scale, m_.scores + g * split_keys);
        StepBarrier()();
#pragma unroll 1
        for (int g = 0; g < group_; ++g) { // sums take turns at two places
            float* const sums = m_.sums + g % 2 * 8 * head_dim;
            float* const weights = weights_ + g % 2 * 8;
            const float peak = tile_.weigh(m_.scores + g * split_keys, item_.count, sums, weights);
            StepBarrier()();
            hand_over(g, sums, weights, peak);
        }
    }

    /// Queries into shared memory; the newest key and value there and into the cache.
    __device__ void rotate() {
        constexpr int half = head_dim / 2;
        const AttentionShape& a = s_.shape.attention;
        const Tagged* const row = state_.exchanged(state_.map.qkv);
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
                m_.query[query_place<head_dim>(h * head_dim + d)] = pair.x;
                m_.query[query_place<head_dim>(h * head_dim + d + half)] = pair.y;
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

    /// The part of query head `g` of the group to whom joins it.
    __device__ void hand_over(int g, const float* sums, const float* weights, float peak) const {
        const int head = item_.kv_head * group_ + g;
        Tagged* const part = state_.exchanged(state_.map.parts) +
                             (static_cast<std::size_t>(head) * s_.splits + item_.split) * part_words;
        const int d = static_cast<int>(threadIdx.x);
        if (d < head_dim)
            publish(part + part_place_of(d), SplitTile<head_dim>::over_chains(sums + d, head_dim), tag_);
        else if (d == head_dim)
            publish_pair(part + part_stats, peak, SplitTile<head_dim>::over_chains(weights, 1), tag_);
    }

    const StepState& state_;
    const DecodeStep& s_;
    AttentionItem item_;
    __half* keys_;
    __half* values_;
    unsigned tag_;
    int group_;
    SplitShared m_;
    __half* new_;    ///< [2][head_dim]: the newest key and value
    float* weights_; ///< [2][8]: of the chains
    SplitTile<head_dim> tile_;
};

/// Joins the splits of attended heads, a warp a head: join_splits, four dimensions a lane.
template<int head_dim>
class SplitJoin {
  public:
    __device__ SplitJoin(const StepState& state, int layer)
        : state_(state), tag_(state.tag(layer * linears_a_layer)) {}

    /// The warp's first head; the next are a grid's warps apart. Blocks after those
    /// that have the last items begin, so that few have to do both.
    __device__ static int first(const StepState& state) {
        const int grid = static_cast<int>(gridDim.x);
        const int block = static_cast<int>(blockIdx.x) - state.first_joiner;
        return (block < 0 ? block + grid : block) + static_cast<int>(threadIdx.x) / 32 * grid;
    }
    /// @param out  out(head, dimension, four): what becomes of a lane's four dimensions; all lanes call
    template<class Out>
    __device__ void run(const Out& out) {
        const int heads = state_.step.shape.attention.heads;
#pragma unroll 1
        for (int head = first(state_); head < heads; head += static_cast<int>(gridDim.x) * step_warps)
            out(head, dimension(), join(head));
    }

  private:
    static constexpr int together = 3; ///< splits that are asked for at once

    __device__ static int dimension() {
        return static_cast<int>(threadIdx.x) % 32 * 4;
    }
    __device__ static int lane_place() {
        return dimension() < head_dim ? part_place_of(dimension()) : 0;
    }

    /// This lane's dimensions of splits first, first + 1, ... of `count`, and the statistics of split
    /// `stats_of`; in place of what is not wanted: split `first`.
    struct Parts {
        float2 pairs[2 * together];
        float2 stats; ///< the largest score, the weight
    };
    __device__ void await_parts(const Tagged* from, int first, int count, int stats_of, Parts& parts) const {
        float2 pairs[2 * together + 1];
        const auto place = [&](int i) {
            if (i == 2 * together)
                return from + stats_of * part_words + part_stats;
            const int split = first + i / 2 < count ? first + i / 2 : first;
            return from + split * part_words + lane_place() + i % 2 * 64;
        };
        await_pairs(place, tag_, pairs);
#pragma unroll
        for (int i = 0; i < 2 * together; ++i)
            parts.pairs[i] = pairs[i];
        parts.stats = pairs[2 * together];
    }
    /// A lane a split.
    __device__ float2 await_stats(const Tagged* from, int first, int count) const {
        float2 stats[1];
        const int split = own_split(first, count);
        await_pairs([&](int) { return from + split * part_words + part_stats; }, tag_, stats);
        return stats[0];
    }
    static __device__ int own_split(int first, int count) {
        return min(first + static_cast<int>(threadIdx.x) % 32, count - 1);
    }

    __device__ float4 join(int head) const {
        const int splits = state_.step.slot < 0 ? 0 : splits_of(state_.step.position + 1);
        if (splits == 0)
            return {0.0F, 0.0F, 0.0F, 0.0F};
        const Tagged* const from = state_.exchanged(state_.map.parts) +
                                   static_cast<std::size_t>(head) * state_.step.splits * part_words;
        Parts parts;
        await_parts(from, 0, splits, own_split(0, splits), parts);
        float peak = SplitTile<head_dim>::largest_of_warp(parts.stats.x);
#pragma unroll 1
        for (int first = 32; first < splits; first += 32)
            peak = fmaxf(peak, SplitTile<head_dim>::largest_of_warp(await_stats(from, first, splits).x));
        float rescale = exponential(__fsub_rn(parts.stats.x, peak));
        float4 sum{0.0F, 0.0F, 0.0F, 0.0F};
        float weight = 0.0F;
#pragma unroll 1
        for (int first = 0; first < splits; first += together) {
            if (first > 0) {
                await_parts(from, first, splits, own_split(first, splits), parts);
                rescale = exponential(__fsub_rn(parts.stats.x, peak));
            }
#pragma unroll
            for (int i = 0; i < together; ++i) {
                const float factor = __shfl_sync(0xFFFFFFFFU, rescale, i);
                const float split_weight = __shfl_sync(0xFFFFFFFFU, parts.stats.y, i);
                if (first + i < splits) {
                    weight = __fmaf_rn(split_weight, factor, weight);
                    sum.x = __fmaf_rn(parts.pairs[2 * i].x, factor, sum.x);
                    sum.y = __fmaf_rn(parts.pairs[2 * i].y, factor, sum.y);
                    sum.z = __fmaf_rn(parts.pairs[2 * i + 1].x, factor, sum.z);
                    sum.w = __fmaf_rn(parts.pairs[2 * i + 1].y, factor, sum.w);
                }
            }
        }
        return quotients(sum, weight);
    }

    static __device__ float4 quotients(const float4& sum, float weight) {
        bool sure = true;
        const float4 q{quotient_if(sum.x, weight, sure), quotient_if(sum.y, weight, sure),
                       quotient_if(sum.z, weight, sure), quotient_if(sum.w, weight, sure)};
        if (sure)
            return q;
        return {__fdiv_rn(sum.x, weight), __fdiv_rn(sum.y, weight), __fdiv_rn(sum.z, weight),
                __fdiv_rn(sum.w, weight)};
    }

    const StepState& state_;
    unsigned tag_;
};

} // namespace quantscope::kernels
