// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/base/wgmma.cuh"

/// How prefill attention on wgmma divides its work, and its shared memory. Everything here is of one block.
namespace quantscope::kernels::attend_wgmma {

constexpr int group_rows = 64;
constexpr int piece_rows = 2 * group_rows;
constexpr int tile_keys = 128;
constexpr int stages = 2;
constexpr int consumers = 256; ///< threads
constexpr int threads = consumers + 128;
constexpr int row_bytes = 128; ///< 64 dimensions: what a swizzled row holds

template<int head_dim>
struct Layout {
    static constexpr int parts = head_dim / 64;
    static constexpr int query_part = group_rows * row_bytes;
    static constexpr int query_bytes = 2 * parts * query_part; ///< of a group: upper halves, then lower ones
    static constexpr int tile_part = tile_keys * row_bytes;
    static constexpr int tile_bytes = parts * tile_part; ///< keys, or values
    static constexpr int tiles = 2 * query_bytes;        ///< where they begin
    static constexpr int barriers = tiles + stages * 2 * tile_bytes;
    static constexpr int bytes = 1024 + barriers + 4 * stages * 8; ///< 1024 to align
};

/// Shared memory, and the barriers of the tiles in it.
template<int head_dim>
class Shared {
  public:
    using L = Layout<head_dim>;

    __device__ explicit Shared(const void* memory)
        : base_((shared_address(memory) + 1023U) / 1024U * 1024U) {}

    __device__ void init() const {
        for (int i = 0; i < 2 * stages; ++i) {
            init_barrier(barrier(i), (threads - consumers) / 2 / 32);
            init_barrier(barrier(2 * stages + i), consumers / 32);
        }
        fence_barrier_init();
    }
    __device__ std::uint32_t queries(int group) const { return base_ + group * L::query_bytes; }
    __device__ std::uint32_t tile(bool values, int stage) const {
        return base_ + L::tiles + (2 * stage + (values ? 1 : 0)) * L::tile_bytes;
    }
    __device__ std::uint32_t full(bool values, int stage) const {
        return barrier(2 * stage + (values ? 1 : 0));
    }
    __device__ std::uint32_t empty(bool values, int stage) const { return full(values, stage) + 16 * stages; }

  private:
    __device__ std::uint32_t barrier(int i) const { return base_ + L::barriers + 8 * i; }

    std::uint32_t base_;
};

using Turn = RingPlace<stages>;

/// A block's pieces: those with most keys (the last rows) come first, dealt out there and back, so that all
/// blocks get nearly the same work.
class Pieces {
  public:
    __device__ explicit Pieces(const AttentionRows& r)
        : heads_(r.shape.heads), row_blocks_((r.rows + piece_rows - 1) / piece_rows) {}

    __device__ bool next(int& head, int& first_row) {
        const auto blocks = static_cast<int>(gridDim.x);
        const auto mine = static_cast<int>(blockIdx.x);
        const int at = round_ * blocks + (round_ % 2 == 0 ? mine : blocks - 1 - mine);
        ++round_;
        if (at >= heads_ * row_blocks_)
            return false; // only the last round is not full
        head = at % heads_;
        first_row = (row_blocks_ - 1 - at / heads_) * piece_rows;
        return true;
    }

  private:
    int heads_;
    int row_blocks_;
    int round_ = 0;
};

/// Rows [first, end) of a piece, all of one slot.
struct Segment {
    int first = 0;
    int end = 0;
    int slot = -1;
    int keys = 0;           ///< of its longest row
    int group_keys[2] = {}; ///< likewise, of each group's rows
};

__device__ inline int keys_of(const AttentionRows& r, int row) {
    const int present = min(row, r.rows - 1);
    const int slot = r.slots[present]; // both asked for at once
    const int position = r.positions[present];
    return row < r.rows && slot >= 0 ? position + 1 : 0;
}

/// The segment that begins at segment.end; false behind the last. A whole warp.
__device__ inline bool next_segment(const AttentionRows& r, int first_row, Segment& segment) {
    constexpr int parts = piece_rows / 32;
    const int rows = min(piece_rows, r.rows - first_row);
    const int lane = static_cast<int>(threadIdx.x) % 32;
    segment.first = segment.end;
    if (segment.first >= rows)
        return false;
    int slots[parts];
    int keys[parts];
#pragma unroll
    for (int i = 0; i < parts; ++i) {
        const int row = min(first_row + i * 32 + lane, r.rows - 1);
        slots[i] = r.slots[row];
        keys[i] = r.positions[row] + 1;
    }
    segment.slot = r.slots[first_row + segment.first];
    segment.end = rows;
#pragma unroll
    for (int i = parts - 1; i >= 0; --i) {
        const int row = i * 32 + lane;
        const bool other = row >= segment.first && row < rows && slots[i] != segment.slot;
        const unsigned others = __ballot_sync(0xFFFFFFFFU, other);
        if (others != 0)
            segment.end = i * 32 + __ffs(static_cast<int>(others)) - 1;
    }
    int most[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < parts; ++i) {
        const int row = i * 32 + lane;
        if (row >= segment.first && row < segment.end && slots[i] >= 0)
            most[i / 2] = max(most[i / 2], keys[i]);
    }
    segment.group_keys[0] = __reduce_max_sync(0xFFFFFFFFU, most[0]);
    segment.group_keys[1] = __reduce_max_sync(0xFFFFFFFFU, most[1]);
    segment.keys = max(segment.group_keys[0], segment.group_keys[1]);
    return true;
}

__device__ inline int tiles_of(int keys) {
    return (keys + tile_keys - 1) / tile_keys;
}

} // namespace quantscope::kernels::attend_wgmma
