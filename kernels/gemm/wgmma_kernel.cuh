// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.cuh"
#include "kernels/gemm/wgmma_division.cuh"
#include "kernels/gemm/wgmma_heads.cuh"
#include "kernels/gemm/wgmma_outbox.cuh"

/// wgmma_gemm's kernel: one thread asks for copies, two warpgroups multiply, other warps see to the outputs.
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
        bool valid;
        __device__ explicit Cursor(const Arguments& a) : segments(a) { valid = segments.next(segment); }
        __device__ void advance() {
            if (++segment.first_slab == segment.end_slab)
                valid = segments.next(segment);
        }
    };

    /// Rows of the segment's batch tile that exist.
    __device__ int rows_of(const Cursor& c) const {
        return min(B::cols, a_.batch - c.segment.batch_block * B::cols);
    }

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
            static_cast<std::size_t>(c.segment.first_slab) * a_.batch + c.segment.batch_block * B::cols;
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
    using Box = Outbox<B>;

    __device__ Consumer(const Arguments& a, const Ring<B>& ring, const Box& box)
        : a_(a), ring_(ring), box_(box), lane_(static_cast<int>(threadIdx.x) % 32),
          group_(static_cast<int>(threadIdx.x) / 128) {
        row_tile_ = static_cast<int>(threadIdx.x) / 32 % B::row_tiles;
        first_col_ = B::groups == Groups::columns ? group_ * B::group_cols : 0;
        first_piece_ = B::groups == Groups::columns ? group_ : 0;
        next_piece_ = first_piece_;
    }

    __device__ void run() {
        if constexpr (B::in_parts)
            run_part();
        else
            run_tiles();
    }

  private:
    __device__ void run_tiles() {
        wait_for_previous_kernel(); // scales
        Segments<B> segments(a_);
        Segment segment;
        while (segments.next(segment)) {
            Acc acc[accumulators];
            const Scales scales = ask_scales(segment);
            multiply(segment.end_slab - segment.first_slab, acc);
            if (!join(segment, acc))
                continue;
            const int tile = segment.row_block * a_.batch_blocks + segment.batch_block;
            if constexpr (B::heads)
                hand_over<OutputForm::heads>(tile, scales, acc);
            else if (a_.epilogue == Epilogue::silu_mul)
                hand_over<OutputForm::pairs>(tile, scales, acc);
            else if (a_.epilogue == Epilogue::store_f16)
                hand_over<OutputForm::halves>(tile, scales, acc);
            else
                hand_over<OutputForm::plain>(tile, scales, acc);
        }
        for (int i = 0; i < (B::writers + Box::turns - 1) / Box::turns; ++i) {
            next_place();
            hand_over_place(Box::end);
        }
    }

    /// Of this thread's two channels, and of one of the tile's batch rows, which it puts where all find it.
    struct Scales {
        float channels[2];
        float row;
    };
    __device__ Scales ask_scales(const Segment& s) const {
        if constexpr (B::format == WeightFormat::f16)
            return {};
        const int row_tile = min(s.row_block * B::row_tiles + row_tile_, a_.row_tiles - 1);
        const int row = s.batch_block * B::cols + static_cast<int>(threadIdx.x) % B::cols;
        const float* const channel = a_.weight_scales + row_tile * 16 + lane_ / 4;
        return {{__ldg(channel), __ldg(channel + 8)},
                __ldg(a_.act_scales + min(row, a_.batch - 1)) * a_.unit};
    }

    /// Outputs of a tile to the warps that write. Lane 4g + t holds channels g (i = 0, 1) and g + 8 of batch
    /// rows 8j + 2t + i % 2 as number 4j + i.
    template<OutputForm form>
    __device__ void hand_over(int tile, const Scales& scales, const Acc (&acc)[accumulators]) {
        using Stored = std::conditional_t<form == OutputForm::halves, __half, float>;
        constexpr bool pairs = form == OutputForm::pairs;
        constexpr int count = piece_rows / 2; // accumulators of a piece
        if constexpr (B::format != WeightFormat::f16) {
            consumer_barrier(); // all have read those of the tile before
            if (threadIdx.x < B::cols)
                ring_.row_scales()[threadIdx.x] = scales.row;
            consumer_barrier();
        }
        int offsets[2][2]; // of batch rows 0 and 1, channels g and g + 8
#pragma unroll
        for (int i = 0; i < 4; ++i)
            offsets[i / 2][i % 2] = Box::offset(form, lane_ % 4 * 2 + i / 2,
                                                row_tile_ * (pairs ? 8 : 16) + lane_ / 4 + i % 2 * 8);
        const float* const row_scales = ring_.row_scales() + first_col_ + lane_ % 4 * 2;
        std::conditional_t<form == OutputForm::heads, HeadWriter, Nothing> head(
            a_.append, tile / a_.batch_blocks, tile % a_.batch_blocks * B::cols, a_.batch,
            static_cast<int>(threadIdx.x));
#pragma unroll
        for (int piece = 0; piece < accumulators / count; ++piece) {
            std::uint8_t* const outputs = next_place();
            float y[count];
#pragma unroll
            for (int n = 0; n < count; ++n) {
                const int at = piece * count + n;
                y[n] = scaled(acc[at], row_scales[at / 4 * 8 + n % 2], scales.channels[n / 2 % 2]);
            }
            if constexpr (pairs)
                multiply_pairs(y);
#pragma unroll
            for (int n = 0; n < count; ++n)
                if (!pairs || n % 4 < 2)
                    *reinterpret_cast<Stored*>(outputs + offsets[n % 2][n / 2 % 2] + n / 4 * 1024) =
                        stored<Stored>(y[n]);
            int message = tile * Box::pieces + piece * Box::turns + first_piece_;
            if constexpr (form == OutputForm::heads) {
                if (piece ==
                    0) // later ones come while the piece before is handed over; now there are no registers
                    head.ask();
                consumer_barrier();
                head.take([&](int row, int element) { return outputs + Box::offset(form, row, element); });
                if (piece + 1 < accumulators / count)
                    head.ask();
                message = head.queries() ? message : Box::gone;
            }
            hand_over_place(message);
        }
    }
    struct Nothing {
        template<class... Unused>
        __device__ explicit Nothing(const Unused&... /*unused*/) {}
    };
    template<class T>
    static __device__ T stored(float y) {
        if constexpr (std::is_same_v<T, float>)
            return y;
        else
            return __float2half_rn(y);
    }
    /// Where the next piece goes, once it is empty.
    __device__ std::uint8_t* next_place() const {
        wait_barrier(box_.empty(next_piece_ % B::places), next_piece_ / B::places % 2 ^ 1);
        return box_.outputs(next_piece_ % B::places);
    }
    __device__ void hand_over_place(int message) {
        const int place = next_piece_ % B::places;
        if (threadIdx.x % (consumers / Box::turns) == 0)
            box_.message(place) = message;
        fence_shared_accesses();
        give_stage_back(box_.full(place));
        next_piece_ += Box::turns;
    }

    /// The CPU engine's order of operations: (s_x * s_w) * acc. A power of two by which acc is too large (its
    /// low bits are zeros, so it becomes a float as exactly) is taken out of s_x.
    __device__ float scaled(Acc acc, float row_scale, float channel_scale) const {
        if constexpr (B::format == WeightFormat::f16)
            return acc;
        else
            return __fmul_rn(__fmul_rn(row_scale, channel_scale), __int2float_rn(acc));
    }

    /// silu(gate) * up in place of each gate.
    template<int count>
    static __device__ void multiply_pairs(float (&y)[count]) {
        float gate[count / 2];
        float up[count / 2];
#pragma unroll
        for (int n = 0; n < count / 2; ++n) {
            gate[n] = y[n / 2 * 4 + n % 2];
            up[n] = y[n / 2 * 4 + 2 + n % 2];
        }
        silu_times_all(gate, up, gate);
#pragma unroll
        for (int n = 0; n < count / 2; ++n)
            y[n / 2 * 4 + n % 2] = gate[n];
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
    __device__ void multiply(int slabs, Acc (&acc)[accumulators]) {
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

    __device__ void step(Fragments& now, Fragments& next, Acc (&acc)[accumulators], int i, int slabs) {
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
    __device__ bool join([[maybe_unused]] const Segment& s, [[maybe_unused]] Acc (&acc)[accumulators]) const {
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

    static __device__ void consumer_barrier() {
        asm volatile("bar.sync 1, %0;" ::"n"(consumers) : "memory");
    }

    const Arguments& a_;
    const Ring<B>& ring_;
    const Box& box_;
    int lane_;
    int group_;
    int row_tile_;
    int first_col_;
    int first_piece_;             ///< of a tile
    int next_piece_;              ///< of all tiles
    RingPlace<B::stages> at_;     ///< of the slab multiplied next
    RingPlace<B::stages> oldest_; ///< not given back yet
};

template<class B>
__global__ void __launch_bounds__(B::threads, B::blocks_a_multiprocessor)
    wgmma_gemm_kernel([[maybe_unused]] const __grid_constant__ Arguments a) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) std::uint8_t wgmma_shared[];
    const Ring<B> ring(wgmma_shared);
    const Outbox<B> box(ring);
    if (threadIdx.x == 0) {
        ring.init();
        if constexpr (!B::in_parts)
            box.init();
        fence_barrier_init();
    }
    __syncthreads();
    if constexpr (B::in_parts)
        cluster_arrive();
    let_next_kernel_start();
    if (threadIdx.x >= consumers) {
        release_registers<B::other_registers>();
        constexpr int producer = B::threads - 32;
        if (threadIdx.x == producer)
            Producer<B>(a, ring).run();
        if constexpr (B::in_parts) { // as the consumers: a barrier is for all threads
            cluster_wait();
            cluster_arrive();
            cluster_wait();
        } else if (threadIdx.x < consumers + B::writers * 32) {
            Writer<B>(a, box).run();
        }
    } else {
        claim_registers<B::consumer_registers>();
        Consumer<B>(a, ring, box).run();
    }
#endif
}

} // namespace quantscope::kernels::wgmma_detail
