// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/step/step_plan.cuh"

namespace quantscope::kernels {

/// All weights of a decode step that a block multiplies, in order: linear after linear; the block's row tiles
/// in sets; of a set the chunks of 16 groups of column tiles (a group a warp); of a chunk the set's row
/// tiles.
class StreamWalk {
  public:
    __device__ explicit StreamWalk(const StepPlan& plan) : plan_(plan) { enter_next_linear(); }

    __device__ bool ended() const { return from_ == nullptr; }
    __device__ const std::uint8_t* from() const { return from_; }
    __device__ int bytes() const { return min(chunk_bytes, row_bytes_ - chunk_ * chunk_bytes); }

    __device__ void advance() {
        if (++member_ < members_) {
            from_ += set_stride_;
            return;
        }
        member_ = 0;
        if (++chunk_ * chunk_bytes < row_bytes_) {
            from_ += chunk_bytes - (members_ - 1) * set_stride_;
            return;
        }
        first_tile_ += set_tiles * static_cast<int>(gridDim.x);
        if (first_tile_ < row_tiles_)
            enter_set();
        else
            enter_next_linear();
    }

  private:
    __device__ void enter_set() {
        const int grid = static_cast<int>(gridDim.x);
        member_ = 0;
        chunk_ = 0;
        members_ = min(set_tiles, (row_tiles_ - first_tile_ + grid - 1) / grid);
        from_ = plan_.linears[linear_].tiles + static_cast<std::size_t>(first_tile_) * row_bytes_;
    }

    __device__ void enter_next_linear() {
        from_ = nullptr;
        while (++linear_ < plan_.count()) {
            const LinearKind& kind = plan_.kind(linear_);
            row_tiles_ = kind.row_tiles;
            row_bytes_ = kind.row_bytes;
            set_stride_ = static_cast<long long>(row_bytes_) * static_cast<int>(gridDim.x);
            first_tile_ = plan_.linears[linear_].first_tile;
            if (first_tile_ < row_tiles_) {
                enter_set();
                return;
            }
        }
    }

    const StepPlan& plan_;
    const std::uint8_t* from_ = nullptr; ///< the next chunk; null: the stream has ended
    long long set_stride_ = 0;           ///< bytes between row tiles of a set
    int linear_ = -1;
    int first_tile_ = 0;
    int row_tiles_ = 0;
    int row_bytes_ = 0;
    int chunk_ = 0;
    int member_ = 0;
    int members_ = 0;
};

/// A block's ring of chunks in shared memory. One thread of its own fills it for the whole step and runs
/// ahead of the products by the whole ring, across linears and layers, so that memory stays busy while blocks
/// wait for one another. A stage is one bulk copy (sm_90).
template<int stages_>
class WeightRing {
  public:
    static constexpr int stages = stages_;
    static constexpr int bytes = stages * chunk_bytes;
    static constexpr int barrier_bytes = 2 * stages * 8;

    /// @param ring  [stages] chunks, @param barriers  barrier_bytes; shared memory
    __device__ WeightRing(const char* ring, const char* barriers)
        : ring_(address_of(ring)), full_(address_of(barriers)), empty_(full_ + stages * 8) {}

    /// A warp's place in the ring: of the chunk that it multiplies next.
    struct Place {
        int stage;
        unsigned parity;

        __device__ void advance() {
            if (++stage == stages) {
                stage = 0;
                parity ^= 1U;
            }
        }
    };

    /// One thread, before any other call; the block meets after it.
    __device__ void init() const {
        for (int i = 0; i < stages; ++i) {
            asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(full_ + i * 8) : "memory");
            asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(empty_ + i * 8), "n"(step_warps)
                         : "memory");
        }
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    }

    /// One thread: copies all chunks of the step, each as soon as its stage is empty and no more than
    /// `most_in_flight` are under way. More would only stand in a queue, and every other load of the block,
    /// on which all blocks wait, behind them (kernels/README.md).
    __device__ void fill(const StepPlan& plan, int most_in_flight) const {
        StreamWalk walk(plan);
        unsigned parity = 1; // the first round finds all stages empty
        Place oldest{0, 0};  // of those in flight
        int in_flight = 0;
        for (int stage = 0; !walk.ended(); walk.advance()) {
            wait(empty_ + stage * 8, parity);
            if (in_flight == most_in_flight) {
                wait(full_ + oldest.stage * 8, oldest.parity);
                oldest.advance();
            } else {
                ++in_flight;
            }
            const std::uint32_t full = full_ + stage * 8;
            const int count = walk.bytes();
            asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(full), "r"(count)
                         : "memory");
            asm volatile(
                "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
                    "r"(ring_ + stage * chunk_bytes),
                "l"(walk.from()), "r"(count), "r"(full)
                : "memory");
            if (++stage == stages) {
                stage = 0;
                parity ^= 1U;
            }
        }
    }

    /// This lane's vectors of the warp's group.
    template<int vectors>
    __device__ void read(const Place& place, uint4 (&out)[vectors]) const {
        wait(full_ + place.stage * 8, place.parity);
        const std::uint32_t at = ring_ + place.stage * chunk_bytes +
                                 static_cast<int>(threadIdx.x) / 32 * group_bytes + threadIdx.x % 32 * 16;
#pragma unroll
        for (int v = 0; v < vectors; ++v)
            asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                         : "=r"(out[v].x), "=r"(out[v].y), "=r"(out[v].z), "=r"(out[v].w)
                         : "r"(at + v * 512)
                         : "memory");
    }

    /// The warp has used what it read, of one place or of two.
    __device__ void release(const Place& first, const Place& second, bool both) const {
        __syncwarp();
        if (threadIdx.x % 32 == 0) {
            release(first);
            if (both)
                release(second);
        }
    }

  private:
    __device__ void release(const Place& place) const {
        asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(empty_ + place.stage * 8) : "memory");
    }
    static __device__ std::uint32_t address_of(const char* shared) {
        return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
    }
    static __device__ void wait(std::uint32_t barrier, unsigned parity) {
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
    std::uint32_t full_;
    std::uint32_t empty_;
};

} // namespace quantscope::kernels
