// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.cuh"
#include "kernels/gemm/wgmma_division.cuh"
#include "kernels/gemm/wgmma_outbox.cuh"

/// wgmma_gemm's kernel: one thread asks for copies, two warpgroups multiply.
namespace quantscope::kernels::wgmma_detail {

/// Asks for the copies of a block's segments, slab after slab; one thread.
template<class B>
class Producer {
  public:
    __device__ Producer(const Arguments& a, const Ring<B>& ring) : a_(a), ring_(ring) {}

    __device__ void run() {
        // Weights depend on no kernel: the first ones are under way before the kernel before has ended.
        Cursor early(a_);
        for (int i = 0; i < B::stages && early.valid; ++i) {
            copy_weights(early, i);
            early.advance();
        }
        wait_for_previous_kernel();
        Cursor cursor(a_);
        RingPlace<B::stages> at;
        for (int i = 0; cursor.valid; ++i) {
            if (i >= B::stages) {
                wait_for_stage(ring_.empty(at.stage), at.parity ^ 1);
                copy_weights(cursor, at.stage);
            }
            copy_rows(cursor, at.stage);
            cursor.advance();
            at.advance();
        }
    }

  private:
    /// A slab of a segment.
    struct Cursor {
        Segments<B> segments;
        Segment segment{};
        int cols = B::cols; ///< batch rows of the segment
        bool valid;
        __device__ explicit Cursor(const Arguments& a) : segments(a) { valid = segments.next(segment); }
        __device__ void advance() {
            if (++segment.first_slab < segment.end_slab)
                return;
            valid = segments.next(segment);
            if (B::halves_last && !valid && cols == B::cols) {
                cols /= 2;
                valid = segments.next_half(segment);
            }
        }
    };

    /// Batch rows of the segment that exist.
    __device__ int rows_of(const Cursor& c) const { return min(c.cols, a_.batch - c.segment.first_row); }

    /// Also says how many bytes the stage will hold.
    __device__ void copy_weights(const Cursor& c, int stage) const {
        const int first_tile = c.segment.row_block * B::row_tiles;
        const int tiles = min(B::row_tiles, a_.row_tiles - first_tile);
        const int col_tile = c.segment.first_slab * B::slab_tiles;
        const int bytes = min(B::slab_tiles, a_.col_tiles - col_tile) * tile_bytes(B::format);
        arrive_expecting(ring_.full(stage), tiles * bytes + rows_of(c) * slab_bytes);
        const std::uint8_t* from =
            a_.tiles +
            (static_cast<std::size_t>(first_tile) * a_.col_tiles + col_tile) * tile_bytes(B::format);
        for (int i = 0; i < tiles; ++i) {
            copy_bulk(ring_.weights(stage) + i * B::row_tile_bytes, from, bytes, ring_.full(stage));
            from += static_cast<std::size_t>(a_.col_tiles) * tile_bytes(B::format);
        }
    }

    __device__ void copy_rows(const Cursor& c, int stage) const {
        const std::size_t first =
            static_cast<std::size_t>(c.segment.first_slab) * a_.batch + c.segment.first_row;
        copy_bulk(ring_.rows(stage), a_.activations + first * slab_bytes, rows_of(c) * slab_bytes,
                  ring_.full(stage));
    }

    const Arguments& a_;
    const Ring<B>& ring_;
};

/// The A operands of a slab's four steps.
template<class B>
__device__ void load_fragments(const uint4* weights, int row_tile, int lane, std::uint32_t (&a)[4][4]) {
    const uint4* const mine = weights + row_tile * (B::row_tile_bytes / 16) + lane;
    if constexpr (B::format == WeightFormat::int4) {
        constexpr std::uint32_t high = 0xF0F0F0F0U;
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
            const uint4 v = mine[tile * 32];
            const std::uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int i = 0; i < 4; ++i) { // step i / 2 of the tile, rows g or g + 8
                a[2 * tile + i / 2][i % 2] = (words[i] << 4) & high;
                a[2 * tile + i / 2][i % 2 + 2] = words[i] & high;
            }
        }
    } else {
#pragma unroll
        for (int step = 0; step < 4; ++step) {
            const uint4 v = mine[step * 32];
            a[step][0] = v.x;
            a[step][1] = v.y;
            a[step][2] = v.z;
            a[step][3] = v.w;
        }
    }
}

/// One of the two warpgroups that multiply.
template<class B>
class Consumer {
  public:
    using Acc = typename Tile<B::format>::Acc;
    static constexpr int accumulators = B::group_cols / 2;
    using Fragments = std::uint32_t[4][4];

    __device__ Consumer(const Arguments& a, const Ring<B>& ring)
        : a_(a), ring_(ring), lane_(static_cast<int>(threadIdx.x) % 32),
          group_(static_cast<int>(threadIdx.x) / 128) {
        row_tile_ = Outbox<B>::row_tile(B::takes_heads && a.form == OutputForm::heads);
        first_col_ = B::groups == Groups::columns ? group_ * B::group_cols : 0;
    }

    __device__ void run() {
        if constexpr (B::in_parts)
            run_part();
        else
            run_tiles();
    }

  private:
    __device__ void run_tiles() {
        wait_for_previous_kernel(); // scales; and it may still read what is written here
        const Outbox<B> box(a_, ring_);
        Segments<B> segments(a_);
        Segment segment;
        while (segments.next(segment))
            run_tile<accumulators>(segment, box);
        if constexpr (B::halves_last)
            if (segments.next_half(segment))
                run_tile<accumulators / 2>(segment, box);
        box.finish();
    }

    template<int count>
    __device__ void run_tile(const Segment& segment, const Outbox<B>& box) {
        Acc acc[count];
        const auto scales = box.ask_scales(segment, row_tile_);
        multiply(segment.end_slab - segment.first_slab, acc);
        if (join(segment, acc))
            box.write(segment, scales, acc);
    }

    /// A part of one tile. Every block sends the others their batch rows' sums.
    __device__ void run_part() {
        constexpr int mine = accumulators / B::parts;
        const int rank = static_cast<int>(blockIdx.x) % B::parts;
        Segments<B> segments(a_);
        Segment segment;
        const bool any = segments.next(segment);
        const Output<B::format> output(a_, segment.row_block * B::row_tiles + row_tile_,
                                       segment.batch_block * B::cols + rank * (B::cols / B::parts), lane_);
        wait_for_previous_kernel();
        typename Output<B::format>::template Inputs<mine> inputs;
        output.ask(0, inputs);
        Acc acc[accumulators] = {};
        if (any)
            multiply(segment.end_slab - segment.first_slab, acc);

        auto* const inbox = reinterpret_cast<int4*>(ring_.outgoing()) + threadIdx.x;
        const auto place = [&](int from, int v) { return (from * (mine / 4) + v) * consumers; };
        cluster_wait(); // all blocks have started
#pragma unroll
        for (int to = 0; to < B::parts; ++to)
#pragma unroll
            for (int v = 0; v < mine / 4; ++v) {
                const int* const four = acc + to * mine + v * 4;
                store_at(shared_address(inbox + place(rank, v)), to,
                         make_int4(four[0], four[1], four[2], four[3]));
            }
        cluster_arrive();
        cluster_wait();
        Acc sums[mine] = {};
#pragma unroll
        for (int from = 0; from < B::parts; ++from)
#pragma unroll
            for (int v = 0; v < mine / 4; ++v) {
                const int4 four = inbox[place(from, v)];
                sums[4 * v] += four.x;
                sums[4 * v + 1] += four.y;
                sums[4 * v + 2] += four.z;
                sums[4 * v + 3] += four.w;
            }
        output.write(sums, 0, inputs);
    }

    /// While the tensor cores take one slab, the next one's fragments are loaded; two sets of registers.
    template<int count>
    __device__ void multiply(int slabs, Acc (&acc)[count]) {
        Fragments even;
        Fragments odd;
        fetch(even);
        for (int i = 0; i < slabs; i += 2) {
            step(even, odd, acc, i, slabs);
            if (i + 1 < slabs)
                step(odd, even, acc, i + 1, slabs);
        }
        wgmma_wait<0>();
        settle(acc);
        release();
    }

    __device__ void fetch(Fragments& a) {
        wait_barrier(ring_.full(at_.stage), at_.parity);
        load_fragments<B>(ring_.weight_vectors(at_.stage), row_tile_, lane_, a);
    }

    template<int count>
    __device__ void step(Fragments& now, Fragments& next, Acc (&acc)[count], int i, int slabs) {
        const std::uint64_t rows = slab_descriptor(ring_.rows(at_.stage) + first_col_ * slab_bytes);
        wgmma_fence();
#pragma unroll
        for (int s = 0; s < 4; ++s)
            wgmma(acc, now[s], rows + 2 * s, i + s > 0 ? 1 : 0);
        wgmma_commit();
        at_.advance();
        if (i > 0) {
            wgmma_wait<1>();
#pragma unroll
            for (int s = 0; s < 4; ++s)
                keep_registers(next[s]);
            release();
        }
        if (i + 1 < slabs)
            fetch(next);
    }

    /// Gives the oldest stage back.
    __device__ void release() {
        give_stage_back(ring_.empty(oldest_.stage));
        oldest_.advance();
    }

    /// Whether this block writes the tile: all of its slabs were multiplied here, or this block comes last
    /// of those that share it, and has added the others' sums.
    template<int count>
    __device__ bool join([[maybe_unused]] const Segment& s, [[maybe_unused]] Acc (&acc)[count]) const {
        if constexpr (B::split) {
            if (s.end_slab - s.first_slab == a_.slabs)
                return true;
            const int tile = s.row_block * a_.batch_blocks + s.batch_block;
            const int first = split_owner(a_, tile * a_.slabs);
            const int last = split_owner(a_, tile * a_.slabs + a_.slabs - 1);
            const auto me = static_cast<int>(blockIdx.x);
            int4* const mine = partial(me, me == first);
#pragma unroll
            for (int v = 0; v < accumulators / 4; ++v)
                mine[v * consumers] = make_int4(acc[4 * v], acc[4 * v + 1], acc[4 * v + 2], acc[4 * v + 3]);
            __threadfence();
            consumer_barrier();
            __shared__ int arrived;
            if (threadIdx.x == 0)
                arrived = atomicAdd(a_.arrived + tile, 1);
            consumer_barrier();
            if (arrived != last - first)
                return false;
            __threadfence();
            if (threadIdx.x == 0)
                a_.arrived[tile] = 0;
            for (int block = first; block <= last; ++block) {
                if (block == me)
                    continue;
                const int4* const theirs = partial(block, block == first);
#pragma unroll
                for (int v = 0; v < accumulators / 4; ++v) {
                    const int4 sums = __ldcg(theirs + v * consumers);
                    acc[4 * v] += sums.x;
                    acc[4 * v + 1] += sums.y;
                    acc[4 * v + 2] += sums.z;
                    acc[4 * v + 3] += sums.w;
                }
            }
        }
        return true;
    }

    /// A block shares at most two tiles: that which another began, and the one it begins last.
    __device__ int4* partial(int block, bool begins) const {
        return reinterpret_cast<int4*>(a_.sums) +
               static_cast<std::size_t>(block * 2 + (begins ? 1 : 0)) * (consumers * accumulators / 4) +
               threadIdx.x;
    }

    const Arguments& a_;
    const Ring<B>& ring_;
    int lane_;
    int group_;
    int row_tile_;
    int first_col_;
    RingPlace<B::stages> at_;     ///< of the slab multiplied next
    RingPlace<B::stages> oldest_; ///< not given back yet
};

template<class B>
__global__ void __launch_bounds__(threads, B::blocks_a_multiprocessor)
    wgmma_gemm_kernel([[maybe_unused]] const __grid_constant__ Arguments a) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) std::uint8_t wgmma_shared[];
    const Ring<B> ring(wgmma_shared);
    if (threadIdx.x == 0)
        ring.init();
    __syncthreads();
    if constexpr (B::in_parts)
        cluster_arrive();
    let_next_kernel_start();
    if (threadIdx.x >= consumers) {
        release_registers<B::producer_registers>();
        if (threadIdx.x == consumers) {
            if (!B::in_parts && a.mapped)
                prefetch_map(&a.out_map);
            Producer<B>(a, ring).run();
        }
        if constexpr (B::in_parts) { // as the consumers: a barrier is for all threads
            cluster_wait();
            cluster_arrive();
            cluster_wait();
        }
    } else {
        claim_registers<B::consumer_registers>();
        Consumer<B>(a, ring).run();
    }
#endif
}

} // namespace quantscope::kernels::wgmma_detail
