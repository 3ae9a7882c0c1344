// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/wgmma.cuh"
#include "kernels/gemm/wgmma_output.cuh"

/// How wgmma_gemm divides its work among blocks, warpgroups and stages of shared memory.
namespace quantscope::kernels::wgmma_detail {

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

template<WeightFormat format_, Groups groups_, int cols_, int stages_, Slabs division_,
         int blocks_a_multiprocessor_ = 1, int parts_ = 4>
struct Blocking {
    static constexpr WeightFormat format = format_;
    static constexpr Groups groups = groups_;
    static constexpr int cols = cols_; ///< batch rows a tile
    static constexpr int stages = stages_;
    static constexpr bool split = division_ == Slabs::shares;
    static constexpr bool in_parts = division_ == Slabs::parts;
    static constexpr int parts = parts_; ///< blocks of a cluster
    static constexpr int blocks_a_multiprocessor = blocks_a_multiprocessor_;
    static constexpr int group_cols = groups == Groups::columns ? cols / 2 : cols;
    static constexpr int row_tiles = groups == Groups::columns ? 4 : 8;    ///< of 16 weight rows, a tile
    static constexpr int slab_tiles = format == WeightFormat::f16 ? 1 : 2; ///< column tiles a slab
    static constexpr int row_tile_bytes = slab_tiles * tile_bytes(format); ///< a slab's
    static constexpr int act_bytes = cols * slab_bytes;
    static constexpr int stage_bytes = act_bytes + row_tiles * row_tile_bytes;
    /// Outputs pass through shared memory where many are written.
    static constexpr bool staged = blocks_a_multiprocessor == 1;
    /// A tile of q, k and v is one head of 128, and may go straight to where attention wants it.
    static constexpr bool appends = groups == Groups::rows && cols == 256 && staged;
    /// For that, or (parts) for the cluster's sums of this block's batch rows.
    static constexpr int exchange_bytes = in_parts ? 128 * cols * 4 : staged ? 2 * staging_bytes : 0;
    static constexpr int shared_bytes =
        1024 + stages * stage_bytes + exchange_bytes + 16 * stages; ///< 1024 to align
    /// Registers a thread: the third warpgroup gives most of its own to the others.
    static constexpr int producer_registers = blocks_a_multiprocessor == 1 ? 40 : 24;
    static constexpr int consumer_registers = blocks_a_multiprocessor == 1 ? 232 : 104;
    static_assert(stage_bytes % 1024 == 0 && shared_bytes <= 227 * 1024);
    static_assert(division_ == Slabs::tiles || format != WeightFormat::f16,
                  "only integer sums are the same in any order");
};

/// Slabs [first_slab, end_slab) of one tile.
struct Segment {
    int row_block;
    int batch_block;
    int first_slab;
    int end_slab;
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
            end_ = a.row_blocks * a.batch_blocks;
        }
    }

    __device__ bool next(Segment& s) {
        if (next_ >= end_)
            return false;
        const int tile = B::split ? next_ / a_.slabs : next_;
        s.batch_block = tile % a_.batch_blocks;
        s.row_block = tile / a_.batch_blocks;
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

  private:
    const Arguments& a_;
    int next_;
    int end_;
};

/// Stages of rows and weights in shared memory, and the barriers that say which are full and which empty.
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
    __device__ std::uint8_t* exchange() const { return pointer_ + B::stages * B::stage_bytes; }
    __device__ float* staging(int group) const {
        return reinterpret_cast<float*>(exchange() + group * staging_bytes);
    }
    __device__ std::uint32_t full(int stage) const {
        return base_ + B::shared_bytes - 1024 - 16 * B::stages + stage * 8;
    }
    __device__ std::uint32_t empty(int stage) const { return full(stage) + B::stages * 8; }

  private:
    std::uint32_t base_;
    std::uint8_t* pointer_;
};

} // namespace quantscope::kernels::wgmma_detail
