// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/stream_gemm.h"
#include "kernels/step/decode_step.h"
#include "kernels/step/exchange.cuh"

namespace quantscope::kernels {

/// One (kv head, split) of a layer's attention; block b takes the items b, b + grid, ...
struct AttentionItem {
    int kv_head = 0;
    int split = 0;
    int position = 0;
    int count = 0;       ///< keys of the item; 0: nothing to do
    bool newest = false; ///< the item holds the row's newest key
    std::size_t at = 0;  ///< its first key in a layer's cache, halves

    __device__ static int number_of(const DecodeStep& s) { return s.shape.attention.kv_heads * s.splits; }

    AttentionItem() = default;
    __device__ AttentionItem(const DecodeStep& s, int item) : position(s.position) {
        const AttentionShape& a = s.shape.attention;
        if (item >= number_of(s))
            return;
        kv_head = item % a.kv_heads;
        split = item / a.kv_heads;
        const int left = s.slot < 0 ? 0 : position + 1 - split * split_keys;
        count = max(0, min(split_keys, left));
        newest = left <= split_keys;
        at = ((static_cast<std::size_t>(max(s.slot, 0)) * a.kv_heads + kv_head) * a.context +
              split * split_keys) *
             a.head_dim;
    }

    /// Keys in the cache; 0 or less: none.
    __device__ int cached() const { return newest ? count - 1 : count; }
};

/// What the cache holds of a block's items is brought with the weights, a chunk an item, between those of qkv
/// and of o_proj, so that attention does not wait for memory.
struct CachedChunks {
    int count = 0; ///< a layer: of the block's first items; the rest have nothing cached

    CachedChunks() = default;
    __device__ explicit CachedChunks(const DecodeStep& s) {
        while (AttentionItem(s, item(count)).cached() > 0)
            ++count;
    }

    /// The block's item number i.
    static __device__ int item(int i) { return static_cast<int>(blockIdx.x + i * gridDim.x); }
    /// Chunks before this linear's weights.
    __device__ int before(int linear) const {
        return linear % linears_a_layer == static_cast<int>(StepLinear::o_proj) ? count : 0;
    }
};

/// What becomes of a linear's products.
struct LinearOutput {
    enum class To { plain, tagged, logits };
    To to;
    Epilogue epilogue; ///< not store_f16
    int cols;          ///< channels
    int plain;         ///< offset in a slot of plain values

    __device__ void set(const DecodeStep& s, const ExchangeMap& map, int kind) {
        if (kind == linears_a_layer) {
            *this = {To::logits, Epilogue::store_f32, s.shape.vocab, 0};
            return;
        }
        switch (static_cast<StepLinear>(kind)) {
        case StepLinear::qkv:
            *this = {To::tagged, Epilogue::store_f32, s.shape.attention.qkv_size(), 0};
            return;
        case StepLinear::o_proj:
            *this = {To::plain, Epilogue::add_residual, s.shape.hidden, map.middle};
            return;
        case StepLinear::gate_up:
            *this = {To::plain, Epilogue::silu_mul, s.shape.intermediate, map.inner};
            return;
        case StepLinear::down_proj: *this = {To::plain, Epilogue::add_residual, s.shape.hidden, map.last};
        }
    }
};

/// How far a block's products are before a linear. Aligned, as it is read as one vector, which would take its
/// neighbour's words else.
struct alignas(16) StepPosition {
    int ring_stage; ///< WeightRing::Place; of CachedChunks, where these come before the linear
    int ring_parity;
    int set;        ///< number of the next set of row tiles
    int scale_tile; ///< row tiles with weight scales so far
};

/// What the phases of a step hand on to one another: in shared memory, as registers are few.
struct StepState {
    DecodeStep step;
    ExchangeMap map;
    unsigned first_tag;                        ///< of linear 0
    int first_slot;                            ///< of layer 0's plain values
    AttentionItem first_item;                  ///< the block's first, the same in all layers
    CachedChunks cached;                       ///< of all its items
    int first_joiner;                          ///< the block after those that have the last items
    LinearOutput outputs[linears_a_layer + 1]; ///< lm_head last
    int pace;                                  ///< chunks of weights that may be under way
    StepPosition positions_before[2];          ///< before linears of even and of odd number

    __device__ Tagged* exchanged(std::size_t at) const { return step.exchange + at; }
    /// The plain values of a layer; -1 is the last one of the launch before.
    __device__ float* plain(int layer) const {
        return reinterpret_cast<float*>(step.exchange) +
               (first_slot + layer + plain_slots) % plain_slots * map.slot;
    }
    __device__ unsigned tag(int linear) const { return first_tag + static_cast<unsigned>(linear); }
};

} // namespace quantscope::kernels
