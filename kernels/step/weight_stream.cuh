// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/wgmma.cuh"
#include "kernels/step/step_plan.cuh"
#include "kernels/step/step_state.cuh"

namespace quantscope::kernels {

/// Chunks that follow one another at equal distances: of row tiles that are walked together, each the same 16
/// groups of column tiles (a group a warp).
struct ChunkRun {
    const std::uint8_t* from;
    const std::uint8_t* second; ///< the chunk's second half, or null
    const float* scales;        ///< of the first row tile, where the run is the first of its tiles; else null
    long long step;             ///< bytes between chunks
    int bytes;                  ///< of a chunk, or of each half
    int chunks;
};

/// All weights of a decode step that a block multiplies, in order: linear after linear, the block's row
/// tiles, a few together (lm_head's alone): of each the first chunk, then of each the next, ... CachedChunks
/// come before o_proj.
class StreamWalk {
  public:
    /// @param together  row tiles
    __device__ StreamWalk(const StepPlan& plan, const StepState& state, int together)
        : plan_(plan), state_(state), together_(together) {}

    /// The next run; no more where it has no chunks.
    __device__ ChunkRun next() {
        if (members_ > 0 && at_ + chunk_bytes < plan_.kind(linear_).row_bytes) {
            at_ += chunk_bytes;
            return run();
        }
        at_ = 0;
        row_tile_ += members_ * static_cast<int>(gridDim.x);
        tiles_left_ -= members_;
        members_ = 0;
        if (cached_left_ > 0)
            return cached();
        while (tiles_left_ == 0) {
            if (++linear_ >= plan_.count())
                return {};
            row_tile_ = plan_.linears[linear_].first_tile;
            tiles_left_ = plan_.linears[linear_].tiles_here;
            cached_left_ = state_.cached.before(linear_);
            if (cached_left_ > 0)
                return cached();
        }
        members_ = linear_ == plan_.last ? 1 : min(together_, tiles_left_);
        return run();
    }

  private:
    __device__ ChunkRun cached() {
        const DecodeStep& s = state_.step;
        const AttentionItem item(s, CachedChunks::item(state_.cached.count - cached_left_--));
        const std::size_t at = linear_ / linears_a_layer * s.cache_layer + item.at;
        return {reinterpret_cast<const std::uint8_t*>(s.keys + at),
                reinterpret_cast<const std::uint8_t*>(s.values + at),
                nullptr,
                0,
                item.cached() * s.shape.attention.head_dim * static_cast<int>(sizeof(__half)),
                1};
    }
    __device__ ChunkRun run() const {
        const StepPlan::Entry& entry = plan_.linears[linear_];
        const int row_bytes = plan_.kind(linear_).row_bytes;
        return {entry.tiles + static_cast<std::size_t>(row_tile_) * row_bytes + at_,
                nullptr,
                entry.scales != nullptr && at_ == 0 ? entry.scales + row_tile_ * 16 : nullptr,
                static_cast<long long>(row_bytes) * gridDim.x,
                min(chunk_bytes, row_bytes - at_),
                members_};
    }

    const StepPlan& plan_;
    const StepState& state_;
    int together_;
    int linear_ = -1;
    int at_ = 0; ///< bytes into the row tiles
    int row_tile_ = 0;
    int tiles_left_ = 0; ///< of the linear, from there on
    int members_ = 0;    ///< of these, walked together
    int cached_left_ = 0;
};

/// Row tiles whose weight scales have a place in shared memory: more than the ring and two sets hold.
constexpr int weight_scale_slots = 32;

/// Chunks of weights that may be under way while products wait for them, and in the phases between: there
/// more would only stand in a queue before what blocks hand one another.
constexpr int chunks_while_multiplying = 2;
constexpr int chunks_between = 1;
constexpr int piece_bytes = 16384; ///< of a chunk that is cut

/// A number in shared memory that one thread sets and another watches. racecheck follows atomics only.
__device__ inline int watched(int& number) {
#ifdef QUANTSCOPE_FOR_RACECHECK
    return atomicOr(&number, 0);
#else
    return *static_cast<volatile int*>(&number);
#endif
}
__device__ inline void set_watched(int& number, int value) {
#ifdef QUANTSCOPE_FOR_RACECHECK
    atomicExch(&number, value);
#else
    *static_cast<volatile int*>(&number) = value;
#endif
}

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
    /// on which all blocks wait, behind them (kernels/history/decode_step.md). What it does a chunk is short:
    /// it competes with four warps, and memory waits for it.
    /// @param together  row tiles that are walked together
    /// @param pace  at least 1; shared memory, others change it
    /// @tparam clocks  at least between two pieces of a chunk where pace is chunks_between; 0: chunks are not
    /// cut
    template<int clocks>
    __device__ void fill(const StepPlan& plan, const StepState& state, int together, int& pace) const {
        StreamWalk walk(plan, state, together);
        Filler filler{ring_, full_, &pace};
        int scale_tile = 0;
        asm volatile("" : "+r"(filler.ring), "+r"(filler.full)); // else they are computed again each time
        for (ChunkRun run = walk.next(); run.chunks > 0; run = walk.next()) {
#pragma unroll 1
            for (; run.chunks > 0; --run.chunks) {
                const std::uint32_t barrier = filler.enter();
                arrive_expecting(barrier, run.second != nullptr
                                              ? 2 * run.bytes
                                              : run.bytes + (run.scales != nullptr ? 64 : 0));
                filler.template copy<clocks>(0, run.from, run.bytes, barrier);
                if (run.second != nullptr)
                    filler.template copy<clocks>(chunk_bytes / 2, run.second, run.bytes, barrier);
                if (run.scales != nullptr) {
                    copy_bulk(scales_ + scale_tile % weight_scale_slots * 64, run.scales, 64, barrier);
                    run.scales += gridDim.x * 16;
                    ++scale_tile;
                }
                run.from += run.step;
                filler.place.advance();
            }
        }
    }

    /// Waits for the stage.
    __device__ void await(const Place& place) const {
        wait(full_ + place.stage * 8, place.parity);
    }
    /// Waits for the stage. Where this lane's first vector of the warp's group is, in shared memory.
    __device__ std::uint32_t group(const Place& place) const {
        await(place);
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
    __device__ void release(const Place& place) const {
        give_stage_back(empty_ + place.stage * 8);
    }

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

    /// Where the thread that fills the ring is.
    struct Filler {
        std::uint32_t ring;
        std::uint32_t full;
        int* pace;
        Place place{0, 1}; // the first round finds all stages empty
        Place oldest{};    // of those in flight
        int in_flight = 0;
        clock_t last = 0;                   ///< when the last piece was asked for
        std::uint64_t policy = read_once(); ///< to leave the L2 cache to the rest: 1 to 3 % of a step

        /// Waits until the next chunk may be asked for. Its barrier.
        __device__ std::uint32_t enter() {
            const std::uint32_t barrier = full + place.stage * 8;
            wait_for_stage(barrier + stages * 8, place.parity);
            while (in_flight >= watched(*pace)) {
                wait(full + oldest.stage * 8, oldest.parity);
                oldest.advance();
                --in_flight;
            }
            ++in_flight;
            return barrier;
        }

        template<int clocks>
        __device__ void copy(int into, const std::uint8_t* from, int bytes, std::uint32_t barrier) {
            const std::uint32_t to = ring + place.stage * chunk_bytes + into;
            if constexpr (clocks == 0) {
                copy_bulk(to, from, bytes, barrier, policy);
            } else {
#pragma unroll 1
                for (int at = 0; at < bytes; at += piece_bytes) {
                    while (clock() - last < clocks && watched(*pace) == chunks_between)
                        ;
                    last = clock();
                    copy_bulk(to + at, from + at, min(piece_bytes, bytes - at), barrier, policy);
                }
            }
        }
    };

    std::uint32_t ring_;
    std::uint32_t scales_;
    std::uint32_t full_;
    std::uint32_t empty_;
};

} // namespace quantscope::kernels
