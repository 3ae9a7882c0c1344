// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/rope.cuh"
#include "kernels/attention/split_attention.cuh"
#include "kernels/step/decode_step.h"
#include "kernels/step/grid_barrier.cuh"

namespace quantscope::kernels {

static_assert(attend_threads == step_threads);

/// One (row, kv head, split) of a layer's attention; block b takes the items b, b + grid, ...
struct AttentionItem {
    int row = 0;
    int kv_head = 0;
    int split = 0;
    int position = 0;
    int count = 0;       ///< keys of the item; 0: nothing to do
    bool newest = false; ///< the item holds the row's newest key
    std::size_t at = 0;  ///< its first key in a layer's cache, halves

    __device__ static int number_of(const DecodeStep& s) {
        return s.rows * s.shape.attention.kv_heads * s.splits;
    }

    AttentionItem() = default;
    __device__ __noinline__ AttentionItem(const DecodeStep& s, int item) {
        const AttentionShape& a = s.shape.attention;
        if (item >= number_of(s))
            return;
        kv_head = item % a.kv_heads;
        row = item / a.kv_heads % s.rows;
        split = item / (a.kv_heads * s.rows);
        const int slot = s.slots[row];
        position = s.positions[row];
        const int left = slot < 0 ? 0 : position + 1 - split * split_keys;
        count = max(0, min(split_keys, left));
        newest = left <= split_keys;
        at = ((static_cast<std::size_t>(max(slot, 0)) * a.kv_heads + kv_head) * a.context +
              split * split_keys) *
             a.head_dim;
    }

    __device__ int cached() const { return newest ? count - 1 : count; }
};

/// The attention of one layer. RoPE and the KV append happen on the way: the item that holds a row's newest
/// key writes it.
template<int head_dim>
class StepAttention {
  public:
    /// Shared memory, 16-byte aligned.
    static constexpr std::size_t shared_bytes(int group) {
        return SplitShared::bytes(head_dim, group) + 2 * head_dim * sizeof(__half);
    }

    __device__ StepAttention(const DecodeStep& step, int layer, char* shared)
        : s_(step), keys_(step.keys + layer * step.cache_layer),
          values_(step.values + layer * step.cache_layer),
          group_(step.shape.attention.heads / step.shape.attention.kv_heads),
          m_(reinterpret_cast<float*>(shared), head_dim, group_),
          new_(reinterpret_cast<__half*>(shared + SplitShared::bytes(head_dim, group_))) {}

    /// Takes all items; calls `qkv_ready` once before the first reads qkv. What is cached does not depend on
    /// this step: the first item's keys and values are asked for before that, the others' come into L2.
    template<class Ready>
    __device__ void run(const Ready& qkv_ready) {
        const int grid = static_cast<int>(gridDim.x);
        const int items = AttentionItem::number_of(s_);
#pragma unroll 1
        for (int next = static_cast<int>(blockIdx.x) + grid; next < items; next += grid)
            bring_near(AttentionItem(s_, next));
#pragma unroll 1
        for (int item = static_cast<int>(blockIdx.x);; item += grid) {
            const bool first = item < grid;
            if (item < items || first) {
                item_ = AttentionItem(s_, item);
                tile_.load(keys_ + item_.at, values_ + item_.at, item_.cached());
            }
            if (first)
                qkv_ready();
            if (item >= items)
                return;
            if (item_.count > 0)
                attend();
            StepBarrier()(); // the next item writes what this one read
        }
    }

  private:
    __device__ void bring_near(const AttentionItem& item) const {
        const __half* const cache = threadIdx.x % 2 == 0 ? keys_ : values_;
        const int line = static_cast<int>(threadIdx.x) / 2 * 64; // 128 bytes
        if (line < item.cached() * head_dim)
            asm volatile("prefetch.global.L2 [%0];" ::"l"(cache + item.at + line));
    }

    __device__ void attend() {
        const AttentionShape& a = s_.shape.attention;
        rotate();
        StepBarrier()();
        if (item_.newest)
            tile_.put(item_.count - 1, new_, new_ + head_dim);
        constexpr int size = split_part_size(head_dim);
        float* const part =
            s_.partials +
            ((static_cast<std::size_t>(item_.row) * a.heads + item_.kv_head * group_) * s_.splits +
             item_.split) *
                size;
        tile_.attend(m_, group_, item_.count, 1.0F / sqrtf(static_cast<float>(head_dim)), part,
                     static_cast<std::size_t>(s_.splits) * size, StepBarrier());
    }

    /// Queries into shared memory; the newest key and value there and into the cache.
    __device__ void rotate() {
        constexpr int half = head_dim / 2;
        const AttentionShape& a = s_.shape.attention;
        const float* const row = s_.qkv + static_cast<std::size_t>(item_.row) * a.qkv_size();
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
            float2 pair{__ldcg(row + head * head_dim + d), __ldcg(row + head * head_dim + d + half)};
            if (h <= group_)
                pair = rotate_pair(pair.x, pair.y, cosines[d], sines[d]);
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

    const DecodeStep& s_;
    AttentionItem item_{};
    __half* keys_;
    __half* values_;
    int group_;
    SplitShared m_;
    __half* new_; ///< [2][head_dim]: the newest key and value
    SplitTile<head_dim> tile_;
};

/// Dimensions column .. column + 3 of an attended row from its splits' parts, join_splits for each. What a
/// few splits need is asked for together.
template<int head_dim>
__device__ __noinline__ float4 join_four(const float* parts, int splits, int column) {
    constexpr int together = 3;
    constexpr int size = split_part_size(head_dim);
    float peak = -INFINITY;
#pragma unroll 1
    for (int i = 0; splits > together && i < splits; ++i)
        peak = fmaxf(peak, __ldcg(parts + i * size + head_dim));
    float4 sum{0.0F, 0.0F, 0.0F, 0.0F};
    float weight = 0.0F;
#pragma unroll 1
    for (int first = 0; first < splits; first += together) {
        float2 stats[together];
        float4 part[together];
#pragma unroll
        for (int i = 0; i < together; ++i)
            if (first + i < splits) {
                stats[i] = __ldcg(reinterpret_cast<const float2*>(parts + (first + i) * size + head_dim));
                part[i] = __ldcg(reinterpret_cast<const float4*>(parts + (first + i) * size + column));
            }
        if (splits <= together)
#pragma unroll
            for (int i = 0; i < together; ++i)
                peak = i < splits ? fmaxf(peak, stats[i].x) : peak;
#pragma unroll
        for (int i = 0; i < together; ++i)
            if (first + i < splits) {
                const float rescale = exponential(__fsub_rn(stats[i].x, peak));
                sum.x = __fmaf_rn(part[i].x, rescale, sum.x);
                sum.y = __fmaf_rn(part[i].y, rescale, sum.y);
                sum.z = __fmaf_rn(part[i].z, rescale, sum.z);
                sum.w = __fmaf_rn(part[i].w, rescale, sum.w);
                weight = __fmaf_rn(stats[i].y, rescale, weight);
            }
    }
    if (splits == 0)
        return sum;
    return {__fdiv_rn(sum.x, weight), __fdiv_rn(sum.y, weight), __fdiv_rn(sum.z, weight),
            __fdiv_rn(sum.w, weight)};
}

} // namespace quantscope::kernels
