// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/step/step_shape.h"

#include <cstdint>

namespace quantscope::kernels {

/// What a few blocks hand a few others within a step (queries, keys, values, parts of attention): 32 bits of
/// value and, above them, the tag of the linear that the value belongs to. A reader asks until the tag is the
/// one it waits for; value and tag are written and read at once, so that neither barriers nor fences are
/// needed.
using Tagged = std::uint64_t;

/// Words of one split and query head: dimensions, from part_stats on the largest score and the weight.
constexpr int part_stats = 128;
constexpr int part_words = 132;
/// Where a dimension stands among them: a lane of a reading warp wants four neighbours, in two pairs of 16
/// bytes; what the lanes ask for at once is side by side.
__host__ __device__ constexpr int part_place_of(int dimension) {
    return (dimension & ~127) | (dimension & 2) << 5 | (dimension >> 1 & 62) | (dimension & 1);
}

/// Values of one row that all blocks read are plain words without a tag, half as many bytes to ask for; a
/// word that is not there yet is all ones. Layers take turns at slots; each is cleared long after it was read
/// and long before it is written again.
constexpr int plain_slots = 12;
constexpr int layers_between_fences = 4; ///< that order clearing before what is written two such times later
constexpr unsigned not_there =
    0xFFFFFFFFU; ///< bits of a NaN; a value that is this one is handed out as another NaN
/// Where a value stands, where lanes want eight neighbours: in two vectors of 16 bytes, a warp's side by
/// side.
__host__ __device__ constexpr int plain_place_of_eight(int element) {
    return (element & ~255) | (element & 4) << 5 | (element >> 1 & 124) | (element & 3);
}

/// Where a value stands, where lanes want every eighth of 256: of a lane four in a vector of 16 bytes, those
/// of eight lanes side by side.
__host__ __device__ constexpr int plain_place_of_eighth(int element) {
    return (element & ~31) | (element & 7) << 2 | (element >> 3 & 3);
}

/// What stands where among the exchanged words.
struct ExchangeMap {
    // Offsets in a slot of plain values, and its size; slots stand first.
    int attended = 0;
    int middle = 0; ///< residual after o_proj
    int last = 0;   ///< residual after down_proj
    int inner = 0;
    int slot = 0;

    std::size_t qkv = 0;   ///< Tagged words
    std::size_t parts = 0; ///< [heads][splits][part_words]
    std::size_t words = 0; ///< of all

    ExchangeMap() = default;
    __host__ __device__ ExchangeMap(const StepShape& s, int splits) {
        const auto padded = [](int n) { return (n + 255) / 256 * 256; };
        middle = padded(s.attended());
        last = middle + padded(s.hidden);
        inner = last + padded(s.hidden);
        slot = inner + padded(s.intermediate);
        qkv = static_cast<std::size_t>(slot) * plain_slots / 2;
        parts = qkv + padded(s.attention.qkv_size());
        words = parts + static_cast<std::size_t>(s.attention.heads) * splits * part_words;
    }
};

} // namespace quantscope::kernels
