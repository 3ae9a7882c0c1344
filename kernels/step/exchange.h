// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/rows/row_transform.h"
#include "kernels/step/step_shape.h"

#include <algorithm>

namespace quantscope::kernels {

/// What blocks hand one another within a step: 32 bits of value and, above them, the tag of the linear that
/// the value belongs to. A reader asks until the tag is the one it waits for; value and tag are written and
/// read at once, so that neither barriers nor fences are needed.
using Tagged = std::uint64_t;

/// How a row of values lies among its Tagged words: a lane of a reading warp wants `2 << log_pairs`
/// neighbours, in pairs of 16 bytes; what a warp's lanes ask for at once is side by side.
__host__ __device__ constexpr int place_of(int element, int log_pairs) {
    const int block = 6 + log_pairs; // log of the elements a warp takes
    const int pair = (element >> 1) & ((1 << log_pairs) - 1);
    const int lane = (element >> (1 + log_pairs)) & 31;
    return (element >> block << block) | pair << 6 | lane << 1 | (element & 1);
}
constexpr int log_pairs_of_qkv = 0;
constexpr int log_pairs_of_hidden = 1; ///< residuals and attended rows
constexpr int log_pairs_of_blocks = 2; ///< down_proj's input, where it becomes codes

/// Words of one split and query head: dimensions, from part_stats on the largest score and the weight.
constexpr int part_stats = 128;
constexpr int part_words = 132;

/// 16 bytes of codes (or halves) with their tag: three words of codes.
constexpr int pack_bytes = 12;
__host__ __device__ constexpr int packs_of(int row_bytes) {
    return (row_bytes + pack_bytes - 1) / pack_bytes;
}

/// What stands where among the exchanged words, and the words between two rows of each.
struct ExchangeMap {
    int qkv_row = 0;
    int attended_row = 0;
    int hidden_row = 0;
    int inner_row = 0;
    int code_row = 0; ///< packs of the widest row

    std::size_t attended = 0; ///< qkv stands first
    std::size_t middle = 0;   ///< residual after o_proj
    std::size_t last = 0;     ///< residual after down_proj
    std::size_t inner = 0;
    std::size_t codes = 0; ///< of several rows only
    std::size_t scales = 0;
    std::size_t parts = 0; ///< [rows][heads][splits][part_words]
    std::size_t words = 0; ///< of all

    ExchangeMap() = default;
    __host__ __device__ ExchangeMap(const StepShape& s, int rows, int splits) {
        const auto padded = [](int n) { return (n + 255) / 256 * 256; };
        const auto count = static_cast<std::size_t>(rows);
        qkv_row = padded(s.attention.qkv_size());
        attended_row = padded(s.attended());
        hidden_row = padded(s.hidden);
        inner_row = padded(s.intermediate);
        const int hidden = attended_row > hidden_row ? attended_row : hidden_row;
        const int widest = inner_row > 2 * hidden ? inner_row : 2 * hidden; // lm_head's input: halves
        code_row = 2 * packs_of(widest);
        attended = count * qkv_row;
        middle = attended + count * attended_row;
        last = middle + count * hidden_row;
        inner = last + count * hidden_row;
        codes = inner + count * inner_row;
        scales = codes + count * code_row;
        parts = (scales + count + 1) / 2 * 2;
        words = parts + count * s.attention.heads * splits * part_words;
    }
};

} // namespace quantscope::kernels
