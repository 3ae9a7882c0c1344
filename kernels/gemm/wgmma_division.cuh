// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/wgmma.cuh"
#include "kernels/gemm/wgmma_output.cuh"

/// How wgmma_gemm divides its work among blocks, warpgroups and stages of shared memory.
namespace quantscope::kernels::wgmma_detail {

constexpr int place_bytes = 8192;        ///< of a piece of a warpgroup's outputs
constexpr int threads = consumers + 128; ///< and a third, of which one thread asks for copies

/// What the two warpgroups that multiply share of a block's tile.
enum class Groups {
    rows,    ///< the batch rows; each takes 64 of 128 weight rows
    columns, ///< the 64 weight rows; each takes half of the batch rows
};

/// Which slabs a block takes.
enum class Slabs {
    tiles,  ///< those of whole tiles
    shares, ///< an equal share of all slabs of all tiles; what shares a tile meets in memory
    parts,  ///< a part of one tile's; the blocks of a cluster share a tile and meet in shared memory
};

/// @tparam places_  of a warpgroup's outputs on their way out (Outbox); 0 with parts
/// @tparam parts_   blocks of a cluster
template<WeightFormat format_, Groups groups_, int cols_, int stages_, Slabs division_, int places_,
         int parts_ = 1>
struct Blocking {
    static constexpr WeightFormat format = format_;
    static constexpr Groups groups = groups_;
    static constexpr int cols = cols_; ///< batch rows a tile
    static constexpr int stages = stages_;
    static constexpr bool split = division_ == Slabs::shares;
    static constexpr bool in_parts = division_ == Slabs::parts;
    static constexpr int parts = parts_;
    static constexpr int places = places_;
    static constexpr int blocks_a_multiprocessor = in_parts ? 2 : 1;
    static constexpr int group_cols = groups == Groups::columns ? cols / 2 : cols;
    static constexpr int row_tiles = groups == Groups::columns ? 4 : 8;    ///< of 16 weight rows, a tile
    static constexpr int slab_tiles = format == WeightFormat::f16 ? 1 : 2; ///< column tiles a slab
    static constexpr int row_tile_bytes = slab_tiles * tile_bytes(format); ///< a slab's
    static constexpr int act_bytes = cols * slab_bytes;
    static constexpr int stage_bytes = act_bytes + row_tiles * row_tile_bytes;
    /// For outputs, or (parts) for the cluster's sums of this block's batch rows.
    static constexpr int outgoing_bytes = in_parts ? 128 * cols * 4 : 2 * places * place_bytes;
    static constexpr int shared_bytes = 1024 + stages * stage_bytes + outgoing_bytes + 16 * stages +
                                        (places > 0 ? cols * 4 : 0); ///< 1024 to align
    /// Registers a thread: the third warpgroup gives most of its own to the others.
    static constexpr int producer_registers = in_parts || cols == 256 ? 24 : 40;
    static constexpr int consumer_registers = in_parts ? 104 : cols == 256 ? 240 : 232;
    static_assert(stage_bytes % 1024 == 0 && shared_bytes <= 227 * 1024);
    /// Whether tiles that are left when all blocks have had as many may go to two blocks each.
    static constexpr bool halves_last = division_ == Slabs::tiles && cols == 256;
    /// Whether a tile may be a head of q, k or v (OutputForm::heads).
    static constexpr bool takes_heads = groups == Groups::rows && cols == 256;
    static_assert(division_ == Slabs::tiles || format != WeightFormat::f16,
                  "only integer sums are the same in any order");
};

/// Slabs [first_slab, end_slab) of one tile, or of half of its batch rows.
struct Segment {
    int row_block;
    int batch_block;
    int first_slab;
    int end_slab;
    int first_row; ///< of the batch
};

/// First of the slabs that block `block` takes, counted through all tiles.
__device__ inline int split_begin(const Arguments& a, int block) {
    const auto all = static_cast<long long>(a.row_blocks) * a.batch_blocks * a.slabs;
    return static_cast<int>(all * block / static_cast<int>(gridDim.x));
}
/// The block that takes slab `slab`, counted likewise.
__device__ inline int split_owner(const Arguments& a, int slab) {
    const auto all = static_cast<long long>(a.row_blocks) * a.batch_blocks * a.slabs;
    return static_cast<int>((static_cast<long long>(slab + 1) * static_cast<int>(gridDim.x) - 1) / all);
}

/// The segments of a block, in order; batch blocks change fastest, so that blocks that run together share
/// weights and rows in the L2 cache.
template<class B>
class Segments {
  public:
    __device__ explicit Segments(const Arguments& a) : a_(a) {
        if constexpr (B::split) {
            next_ = split_begin(a, blockIdx.x);
            end_ = split_begin(a, blockIdx.x + 1);
        } else {
            next_ = B::in_parts ? blockIdx.x / B::parts : blockIdx.x;
            end_ = a.row_blocks * a.batch_blocks - (B::halves_last ? halved() : 0);
        }
    }

    __device__ bool next(Segment& s) {
        if (next_ >= end_)
            return false;
        place(s, B::split ? next_ / a_.slabs : next_);
        s.first_slab = 0;
        s.end_slab = a_.slabs;
        if constexpr (B::split) {
            s.first_slab = next_ % a_.slabs;
            s.end_slab = min(a_.slabs, s.first_slab + end_ - next_);
            next_ += s.end_slab - s.first_slab;
        } else if constexpr (B::in_parts) {
            const int part = static_cast<int>(blockIdx.x) % B::parts;
            s.first_slab = a_.slabs * part / B::parts;
            s.end_slab = a_.slabs * (part + 1) / B::parts;
            next_ = end_;
            return s.end_slab > s.first_slab; // few slabs leave some blocks without
        } else {
            next_ += static_cast<int>(gridDim.x);
        }
        return true;
    }

    /// After the last of them: half of a tile that two blocks share, if there is one for this block.
    __device__ bool next_half(Segment& s) const {
        const int block = static_cast<int>(blockIdx.x);
        if (block / 2 >= halved())
            return false;
        place(s, end_ + block / 2);
        s.first_row += block % 2 * (B::cols / 2);
        s.first_slab = 0;
        s.end_slab = a_.slabs;
        return s.first_row < a_.batch;
    }

  private:
    /// Tiles that are left when all blocks have had as many, if these are for at most half of the blocks.
    __device__ int halved() const {
        const int left = a_.row_blocks * a_.batch_blocks % static_cast<int>(gridDim.x);
        return left <= static_cast<int>(gridDim.x) / 2 ? left : 0;
    }

    __device__ void place(Segment& s, int tile) const {
        s.batch_block = tile % a_.batch_blocks;
        s.row_block = tile / a_.batch_blocks;
        s.first_row = s.batch_block * B::cols;
    }

    const Arguments& a_;
    int next_;
    int end_;
};

/// Stages of rows and weights in shared memory, room for outputs, and the barriers that say which are full
/// and which empty.
template<class B>
class Ring {
  public:
    __device__ explicit Ring(std::uint8_t* shared)
        : base_((shared_address(shared) + 1023U) / 1024U * 1024U),
          pointer_(shared + (base_ - shared_address(shared))) {}

    __device__ void init() const {
        for (int i = 0; i < B::stages; ++i) {
            init_barrier(full(i), 1);
            init_barrier(empty(i), consumers / 32 * arrivals_a_warp);
        }
        fence_barrier_init();
    }
    __device__ std::uint32_t rows(int stage) const { return base_ + stage * B::stage_bytes; }
    __device__ std::uint32_t weights(int stage) const { return rows(stage) + B::act_bytes; }
    __device__ const uint4* weight_vectors(int stage) const {
        return reinterpret_cast<const uint4*>(pointer_ + stage * B::stage_bytes + B::act_bytes);
    }
    __device__ std::uint8_t* outgoing() const { return pointer_ + B::stages * B::stage_bytes; }
    __device__ std::uint32_t full(int stage) const {
        return base_ + B::stages * B::stage_bytes + B::outgoing_bytes + stage * 8;
    }
    __device__ std::uint32_t empty(int stage) const { return full(B::stages + stage); }
    /// Scales of the tile's batch rows, if it has places.
    __device__ float* row_scales() const {
        return reinterpret_cast<float*>(outgoing() + B::outgoing_bytes + 16 * B::stages);
    }

  private:
    std::uint32_t base_;
    std::uint8_t* pointer_;
};

} // namespace quantscope::kernels::wgmma_detail
