// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/wgmma.cuh"
#include "kernels/step/step_plan.cuh"

namespace quantscope::kernels {

/// All weights of a decode step that a block multiplies, in order: linear after linear, the block's row tiles
/// one after the other, of a row tile the chunks of 16 groups of column tiles (a group a warp).
class StreamWalk {
  public:
    __device__ explicit StreamWalk(const StepPlan& plan) : plan_(plan) { enter_next_linear(); }

    __device__ bool ended() const { return from_ == nullptr; }
    __device__ const std::uint8_t* from() const { return from_; }
    __device__ int bytes() const { return min(chunk_bytes, left_); }
    /// The row tile's 16 weight scales, with its first chunk only; else null.
    __device__ const float* scales() const { return scales_; }
    __device__ int tile_with_scales() const { return tile_with_scales_; } ///< its number among such tiles

    __device__ void advance() {
        left_ -= chunk_bytes;
        from_ += chunk_bytes;
        tile_with_scales_ += scales_ != nullptr ? 1 : 0;
        scales_ = nullptr;
        if (left_ > 0)
            return;
        row_tile_ += static_cast<int>(gridDim.x);
        if (--tiles_left_ > 0)
            enter_tile();
        else
            enter_next_linear();
    }

  private:
    __device__ void enter_tile() {
        const StepPlan::Entry& entry = plan_.linears[linear_];
        left_ = plan_.kind(linear_).row_bytes;
        from_ = entry.tiles + static_cast<std::size_t>(row_tile_) * left_;
        if (entry.scales != nullptr)
            scales_ = entry.scales + row_tile_ * 16;
    }

    __device__ void enter_next_linear() {
        from_ = nullptr;
        while (++linear_ < plan_.count()) {
            row_tile_ = plan_.linears[linear_].first_tile;
            tiles_left_ = plan_.linears[linear_].tiles_here;
            if (tiles_left_ > 0) {
                enter_tile();
                return;
            }
        }
    }

    const StepPlan& plan_;
    const std::uint8_t* from_ = nullptr; ///< null: the stream has ended
    const float* scales_ = nullptr;
    int tile_with_scales_ = 0;
    int left_ = 0; ///< bytes of the row tile from there on
    int linear_ = -1;
    int row_tile_ = 0;
    int tiles_left_ = 0;
};

/// Row tiles whose weight scales have a place in shared memory: more than the ring and two sets hold.
constexpr int weight_scale_slots = 32;

/// A block's ring of chunks in shared memory. One thread of its own fills it for the whole step and runs
/// ahead of the products by the whole ring, across linears and layers, so that memory stays busy while blocks
/// wait for one another. A stage is a chunk, by bulk copy (sm_90).
template<int stages_>
class WeightRing {
  public:
    static constexpr int stages = stages_;
    static constexpr int bytes = stages * chunk_bytes;
    static constexpr int barrier_bytes = 2 * stages * 8;

    /// @param ring  [stages] chunks, @param scales  [weight_scale_slots][16] floats, @param barriers
    /// barrier_bytes; shared memory
    __device__ WeightRing(const char* ring, const char* scales, const char* barriers)
        : ring_(shared_address(ring)), scales_(shared_address(scales)), full_(shared_address(barriers)),
          empty_(full_ + stages * 8) {}

    using Place = RingPlace<stages>; ///< of the chunk that a warp multiplies next

    /// One thread, before any other call; the block meets after it.
    __device__ void init() const {
        for (int i = 0; i < stages; ++i) {
            init_barrier(full_ + i * 8, 1);
            init_barrier(empty_ + i * 8, step_warps * arrivals_a_warp);
        }
        fence_shared_accesses();
    }

    /// One thread: copies all chunks of the step, each as soon as its stage is empty and no more than `pace`
    /// says are under way. More would only stand in a queue, and every other load of the block,
    /// on which all blocks wait, behind them (kernels/README.md).
    /// @param pace  at least 1; shared memory, which others change by atomics
    __device__ void fill(const StepPlan& plan, int& pace) const {
        StreamWalk walk(plan);
        Place place{0, 1}; // the first round finds all stages empty
        Place oldest;      // of those in flight
        int in_flight = 0;
        for (; !walk.ended(); walk.advance()) {
            wait_for_stage(empty_ + place.stage * 8, place.parity);
            while (in_flight >= atomicOr(&pace, 0)) {
                wait(full_ + oldest.stage * 8, oldest.parity);
                oldest.advance();
                --in_flight;
            }
            ++in_flight;
            const std::uint32_t full = full_ + place.stage * 8;
            const bool scales = walk.scales() != nullptr;
            arrive_expecting(full, walk.bytes() + (scales ? 64 : 0));
            copy_bulk(ring_ + place.stage * chunk_bytes, walk.from(), walk.bytes(), full);
            if (scales)
                copy_bulk(scales_ + walk.tile_with_scales() % weight_scale_slots * 64, walk.scales(), 64,
                          full);
            place.advance();
        }
    }

    /// Waits for the stage. Where this lane's first vector of the warp's group is, in shared memory.
    __device__ std::uint32_t group(const Place& place) const {
        wait(full_ + place.stage * 8, place.parity);
        return ring_ + place.stage * chunk_bytes + static_cast<int>(threadIdx.x) / 32 * group_bytes +
               threadIdx.x % 32 * 16;
    }
    /// The lane's vector v of a group.
    static __device__ uint4 vector(std::uint32_t group, int v) {
        uint4 out;
        asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(out.x), "=r"(out.y), "=r"(out.z), "=r"(out.w)
                     : "r"(group + v * 512)
                     : "memory");
        return out;
    }

    /// The warp has read what it needs.
    __device__ void release(const Place& place) const { give_stage_back(empty_ + place.stage * 8); }

  private:
    /// wait_barrier without a register for the answer.
    static __device__ void wait(std::uint32_t barrier, int parity) {
        asm volatile("{\n"
                     ".reg .pred done;\n"
                     "again:\n"
                     "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                     "@!done bra again;\n"
                     "}" ::"r"(barrier),
                     "r"(parity)
                     : "memory");
    }

    std::uint32_t ring_;
    std::uint32_t scales_;
    std::uint32_t full_;
    std::uint32_t empty_;
};

} // namespace quantscope::kernels
