// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/launch.h"

#include <cstdint>
#include <cuda_fp16.h>

namespace quantscope::kernels {

/// Sizes of one layer's attention and its KV cache.
struct AttentionShape {
    int heads = 0;
    int kv_heads = 0;
    int head_dim = 0; ///< a multiple of 32, at most max_head_dim
    int context = 0;  ///< tokens a slot can hold

    constexpr int qkv_size() const { return (heads + 2 * kv_heads) * head_dim; }
    /// Halves of one slot's keys (or values) of one layer.
    constexpr std::size_t slot_size() const {
        return static_cast<std::size_t>(kv_heads) * context * head_dim;
    }
};

constexpr int max_head_dim = 256;
/// Keys that one block of a split sequence takes. Fixed, so that a sum's order is a function of the row
/// alone.
constexpr int split_keys = 64;
constexpr int splits_of(int keys) {
    return (keys + split_keys - 1) / split_keys;
}

/// Floats of one split and query head: [head_dim] sums, the largest score, the sum of the exponentials,
/// padding to 16 bytes.
constexpr int split_part_size(int head_dim) {
    return head_dim + 4;
}

/// One layer's rows: row m is the token at position positions[m] of slot slots[m]. A slot of -1 marks a row
/// that pads the batch: nothing is cached for it, its output is zeros.
struct AttentionRows {
    AttentionShape shape;
    float* qkv = nullptr;     ///< [rows][qkv_size]: heads of q, of k, of v
    __half* keys = nullptr;   ///< [slots][kv_heads][context][head_dim]
    __half* values = nullptr; ///< likewise
    /// In their stead, where set: int8 codes (likewise) and scales [slots][kv_heads][context], one a token
    /// and head, as engine/schemes/quantize.h.
    std::int8_t* key_codes = nullptr;
    std::int8_t* value_codes = nullptr;
    float* key_scales = nullptr;
    float* value_scales = nullptr;
    const std::int32_t* slots = nullptr;     ///< [rows]
    const std::int32_t* positions = nullptr; ///< [rows]
    int rows = 0;
};

/// Rotates q in place and k on its way into the cache (pairs i, i + head_dim / 2), and appends v; rounds or
/// quantizes both.
/// @param cosines, sines  [context][head_dim / 2]
Status rotate_and_append(const AttentionRows& rows, const float* cosines, const float* sines,
                         const Launch& how);

/// out[m][heads * head_dim] f32: attention of each row over its slot's keys 0 .. its position, which the
/// cache holds.
///   partials  null: a block takes a whole sequence.
///             else [rows][heads][splits][split_part_size] f32: blocks take split_keys keys each, and a
///             second kernel joins them in order; `splits` must cover the longest row: splits_of(position +
///             1).
/// Each row's result is a function of its own q and cache: neither other rows nor `splits` change a bit.
Status attend(const AttentionRows& rows, float* out, float* partials, int splits, const Launch& how);

} // namespace quantscope::kernels
