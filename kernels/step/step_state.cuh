// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/stream_gemm.h"
#include "kernels/step/decode_step.h"
#include "kernels/step/exchange.cuh"

namespace quantscope::kernels {

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
    /// @param slots, positions  of the rows
    __device__ AttentionItem(const DecodeStep& s, const int* slots, const int* positions, int item) {
        const AttentionShape& a = s.shape.attention;
        if (item >= number_of(s))
            return;
        kv_head = item % a.kv_heads;
        row = item / a.kv_heads % s.rows;
        split = item / (a.kv_heads * s.rows);
        const int slot = slots[row];
        position = positions[row];
        const int left = slot < 0 ? 0 : position + 1 - split * split_keys;
        count = max(0, min(split_keys, left));
        newest = left <= split_keys;
        at = ((static_cast<std::size_t>(max(slot, 0)) * a.kv_heads + kv_head) * a.context +
              split * split_keys) *
             a.head_dim;
    }

    __device__ int cached() const { return newest ? count - 1 : count; }
};

/// What becomes of a linear's products: values that other blocks wait for, or logits.
struct LinearOutput {
    Tagged* to;        ///< null: logits
    Epilogue epilogue; ///< not store_f16
    int cols;          ///< channels
    int log_pairs;     ///< place_of's
    int row_words;     ///< between rows of `to`

    __device__ void set(const DecodeStep& s, const ExchangeMap& map, int kind) {
        if (kind == linears_a_layer) {
            *this = {nullptr, Epilogue::store_f32, s.shape.vocab, 0, 0};
            return;
        }
        switch (static_cast<StepLinear>(kind)) {
        case StepLinear::qkv:
            *this = {s.exchange, Epilogue::store_f32, s.shape.attention.qkv_size(), log_pairs_of_qkv,
                     map.qkv_row};
            return;
        case StepLinear::gate_up:
            *this = {s.exchange + map.inner, Epilogue::silu_mul, s.shape.intermediate,
                     s.format != WeightFormat::f16 ? log_pairs_of_blocks : log_pairs_of_hidden,
                     map.inner_row};
            return;
        default:
            *this = {s.exchange + (kind == static_cast<int>(StepLinear::o_proj) ? map.middle : map.last),
                     Epilogue::add_residual, s.shape.hidden, log_pairs_of_hidden, map.hidden_row};
        }
    }
};

/// How far a block's products are before a linear.
struct StepPosition {
    int ring_stage; ///< WeightRing::Place
    int ring_parity;
    int set;        ///< number of the next set of row tiles
    int scale_tile; ///< row tiles with weight scales so far
};

/// Chunks of weights that may be under way while products wait for them, and in the phases between: there
/// more would only stand in a queue before what blocks hand one another.
constexpr int chunks_while_multiplying = 2;
constexpr int chunks_between = 1;

/// What the phases of a step hand on to one another: in shared memory, as registers are few.
struct StepState {
    DecodeStep step;
    ExchangeMap map;
    unsigned first_tag;       ///< of linear 0
    AttentionItem first_item; ///< the block's first, the same in all layers
    int first_joiner;         ///< the block after those that have the last items
    int slots[max_step_rows];
    int positions[max_step_rows];
    LinearOutput outputs[linears_a_layer + 1]; ///< lm_head last
    int pace;                                  ///< chunks of weights that may be under way
    StepPosition positions_before[2];          ///< before linears of even and of odd number

    __device__ Tagged* exchanged(std::size_t at) const { return step.exchange + at; }
    __device__ unsigned tag(int linear) const { return first_tag + static_cast<unsigned>(linear); }
};

} // namespace quantscope::kernels
