// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/gemm/wgmma_division.cuh"
#include "kernels/gemm/wgmma_heads.cuh"

/// The way of outputs out of a block: a warpgroup leaves them in shared memory piece by piece, from where the
/// copy engine takes them to memory while the next tile is multiplied.
namespace quantscope::kernels::wgmma_detail {

/// A piece of a warpgroup's outputs in shared memory: up to 8 KB, in boxes of 128 bytes of each batch row.
template<class B, OutputForm form>
struct Piece {
    static constexpr bool pairs = form == OutputForm::pairs;
    static constexpr int element_bytes = form == OutputForm::halves ? 2 : 4;
    static constexpr int channels = pairs ? 32 : 64;
    static constexpr int box_channels = 128 / element_bytes;
    static constexpr int boxes = channels / box_channels;
    static constexpr int most_rows = place_bytes / (128 * boxes);
    static constexpr int rows = most_rows < B::group_cols ? most_rows : B::group_cols; ///< of the batch
    static constexpr int count = rows / 2; ///< accumulators of a thread

    /// Where an output lies: the 16-byte vectors of a row are exchanged as the 128-byte swizzle has it, so
    /// that no two lanes of an instruction meet in a bank.
    static __device__ int offset(int row, int channel) {
        return channel / box_channels * (rows * 128) + row * 128 +
               (channel % box_channels * element_bytes ^ row % 8 * 16);
    }
    /// First channel of a box in its tile.
    static __device__ int first_channel(int group, int box) {
        return (B::groups == Groups::rows ? group * channels : 0) + box * box_channels;
    }
};

/// A warpgroup's.
template<class B>
class Outbox {
  public:
    using Acc = typename Tile<B::format>::Acc;
    static constexpr int part_rows = 32; ///< of the batch: what is in registers at once
    static constexpr int part_count = part_rows / 2;

    __device__ Outbox(const Arguments& a, const Ring<B>& ring)
        : a_(a), ring_(ring), lane_(static_cast<int>(threadIdx.x) % 32),
          warp_(static_cast<int>(threadIdx.x) / 32 % 4), group_(static_cast<int>(threadIdx.x) / 128),
          first_col_(B::groups == Groups::columns ? group_ * B::group_cols : 0) {}

    /// The row tile of a block's tile that this warp multiplies: both halves of a head are a warpgroup's.
    static __device__ int row_tile(bool heads) {
        const int warp = static_cast<int>(threadIdx.x) / 32;
        return heads ? warp / 2 % 2 * 4 + warp / 4 * 2 + warp % 2 : warp % B::row_tiles;
    }

    /// A thread's share of a tile's scales: of its two channels, and of one batch row.
    struct Scales {
        float channels[2];
        float row;
    };
    __device__ Scales ask_scales(const Segment& s, int row_tile) const {
        if constexpr (B::format == WeightFormat::f16)
            return {{1.0F, 1.0F}, 1.0F};
        const int tile = min(s.row_block * B::row_tiles + row_tile, a_.row_tiles - 1);
        const int row = s.first_row + static_cast<int>(threadIdx.x) % B::cols; // more than half of a tile has
        const float* const channel = a_.weight_scales + tile * 16 + lane_ / 4;
        return {{__ldg(channel), __ldg(channel + 8)},
                __ldg(a_.act_scales + min(row, a_.batch - 1)) * a_.unit};
    }

    /// Both warpgroups together. Lane 4g + t holds channels g (i = 0, 1) and g + 8 (i = 2, 3) of batch rows
    /// 8j + 2t + i % 2 as number 4j + i.
    template<int count>
    __device__ void write(const Segment& s, const Scales& scales, const Acc (&acc)[count]) const {
        if (issues())
            wait_bulk_reads<0>(); // of the tile before
        consumer_barrier();       // which nobody reads any more
        if constexpr (B::format != WeightFormat::f16) {
            if (threadIdx.x < B::cols)
                ring_.row_scales()[threadIdx.x] = scales.row;
            consumer_barrier();
        }
        switch (a_.form) {
        case OutputForm::floats: write_as<OutputForm::floats>(s, scales, acc); break;
        case OutputForm::halves: write_as<OutputForm::halves>(s, scales, acc); break;
        case OutputForm::pairs: write_as<OutputForm::pairs>(s, scales, acc); break;
        case OutputForm::heads:
            if constexpr (B::takes_heads)
                write_heads(s, scales, acc);
            break;
        }
    }

    /// Before the block ends.
    __device__ void finish() const {
        if (issues())
            wait_bulk_reads<0>();
    }

  private:
    template<OutputForm form, int count>
    __device__ void write_as(const Segment& s, Scales scales, const Acc (&acc)[count]) const {
        using P = Piece<B, form>;
        if constexpr (P::pairs)
            scales.channels[1] *= silu_unit;
#pragma unroll
        for (int part = 0; part < count / part_count; ++part) {
            constexpr int parts = P::count / part_count; // of a piece
            const int piece = part / parts;
            float y[part_count];
            scale(acc, part, scales, y);
            if constexpr (P::pairs)
                multiply_pairs(y);
            if (part % parts == 0 && piece >= B::places)
                wait_for_place<B::places - 1>();
            put<form>(y, place(piece) + part % parts * (part_rows * 128));
            if (part % parts == parts - 1) {
                fence_shared_accesses();
                group_barrier();
                send<form>(s, piece);
            }
        }
    }

    /// Of a piece the rotation is made while the next one is on its way to shared memory.
    template<int count>
    __device__ void write_heads(const Segment& s, const Scales& scales, const Acc (&acc)[count]) const {
        using P = Piece<B, OutputForm::heads>;
        constexpr int pieces = count / part_count;
        static_assert(P::rows == part_rows && HeadWriter::chunk_rows == part_rows);
        HeadWriter head(a_.append, s.row_block, s.first_row, a_.batch, static_cast<int>(threadIdx.x));
        const auto in = [&](int piece) {
            return
                [outputs = place(piece)](int row, int element) { return outputs + P::offset(row, element); };
        };
#pragma unroll
        for (int piece = 0; piece <= pieces; ++piece) {
            if (piece > 0)
                head.read(in(piece - 1));
            if (piece < pieces) {
                float y[part_count];
                scale(acc, piece, scales, y);
                put<OutputForm::heads>(y, place(piece));
            }
            if (piece > 0)
                head.finish();
            if (piece < pieces) {
                head.ask();
                group_barrier();
            }
        }
    }

    /// Accumulators of a part times their scales, in the CPU engine's order of operations: (s_x * s_w) *
    /// acc. A power of two by which acc is too large (its low bits are zeros, so it becomes a float as
    /// exactly) is taken out of s_x.
    template<int count>
    __device__ void scale(const Acc (&acc)[count], int part, const Scales& scales,
                          float (&y)[part_count]) const {
        const float* const rows = ring_.row_scales() + first_col_ + lane_ % 4 * 2;
#pragma unroll
        for (int n = 0; n < part_count; ++n) {
            const int at = part * part_count + n;
            if constexpr (B::format == WeightFormat::f16)
                y[n] = n % 4 < 2 ? acc[at] : acc[at] * scales.channels[1]; // 1, or silu_unit
            else
                y[n] = __fmul_rn(__fmul_rn(rows[at / 4 * 8 + n % 2], scales.channels[n / 2 % 2]),
                                 __int2float_rn(acc[at]));
        }
    }

    /// silu(gate) * up in place of each gate; up stands times silu_unit.
    static __device__ void multiply_pairs(float (&y)[part_count]) {
        float gate[part_count / 2];
        float up[part_count / 2];
#pragma unroll
        for (int n = 0; n < part_count / 2; ++n) {
            gate[n] = y[n / 2 * 4 + n % 2];
            up[n] = y[n / 2 * 4 + 2 + n % 2];
        }
        silu_times_all(gate, up, gate);
#pragma unroll
        for (int n = 0; n < part_count / 2; ++n)
            y[n / 2 * 4 + n % 2] = gate[n];
    }

    template<OutputForm form>
    __device__ void put(const float (&y)[part_count], std::uint8_t* to) const {
        using P = Piece<B, form>;
        if constexpr (form == OutputForm::halves) {
            // A matrix of 8 batch rows by 8 channels from each quarter of the warp: lane 8m + r says where
            // row r of matrix m stands.
            const std::uint32_t lane_to =
                shared_address(to) + P::offset(lane_ / 16 * 8 + lane_ % 8, warp_ * 16 + lane_ / 8 % 2 * 8);
#pragma unroll
            for (int n = 0; n < part_count; n += 8)
                store_transposed(lane_to + n / 8 * 16 * 128, halves(y[n], y[n + 1]),
                                 halves(y[n + 2], y[n + 3]), halves(y[n + 4], y[n + 5]),
                                 halves(y[n + 6], y[n + 7]));
        } else {
            const int channel = warp_ * (P::pairs ? 8 : 16) + lane_ / 4;
            int offsets[2][2]; // of batch rows 0 and 1, channels g and g + 8
#pragma unroll
            for (int i = 0; i < 4; ++i)
                offsets[i % 2][i / 2] = P::offset(lane_ % 4 * 2 + i % 2, channel + i / 2 * 8);
#pragma unroll
            for (int n = 0; n < part_count; ++n)
                if (!P::pairs || n % 4 < 2)
                    *reinterpret_cast<float*>(to + offsets[n % 2][n / 2 % 2] + n / 4 * 1024) = y[n];
        }
    }

    /// The whole warpgroup, which has met since the piece was put in its place.
    template<OutputForm form>
    __device__ void send(const Segment& s, int piece) const {
        using P = Piece<B, form>;
        const int row = s.first_row + first_col_ + piece * P::rows;
        const int tile_channel = s.row_block * (B::row_tiles / 4) * P::channels;
        if (!a_.mapped) {
            send_each<form>(tile_channel, row, place(piece));
            group_barrier(); // the place may be written again
        } else if (issues()) {
#pragma unroll
            for (int box = 0; box < P::boxes; ++box) {
                const int channel = tile_channel + P::first_channel(group_, box);
                const std::uint32_t from = shared_address(place(piece)) + box * (P::rows * 128);
                if (a_.epilogue == Epilogue::add_residual)
                    add_box(&a_.out_map, channel, row, from);
                else
                    store_box(&a_.out_map, channel, row, from);
            }
            commit_bulk();
        }
    }

    /// Where memory is not aligned as the copy engine wants it.
    template<OutputForm form>
    __device__ void send_each(int tile_channel, int first_row, const std::uint8_t* outputs) const {
        using P = Piece<B, form>;
        const int channels = P::pairs ? a_.rows / 2 : a_.rows;
#pragma unroll 1
        for (int first = 0; first < P::rows * P::channels; first += 128) {
            const int i = first + static_cast<int>(threadIdx.x) % 128;
            const int in_group = i % P::channels;
            const int channel = tile_channel + P::first_channel(group_, in_group / P::box_channels) +
                                in_group % P::box_channels;
            const int row = first_row + i / P::channels;
            if (row >= a_.batch || channel >= channels)
                continue;
            const std::uint8_t* const y = outputs + P::offset(i / P::channels, in_group);
            const std::size_t at = static_cast<std::size_t>(row) * channels + channel;
            if constexpr (form == OutputForm::halves)
                static_cast<__half*>(a_.out)[at] = *reinterpret_cast<const __half*>(y);
            else if (a_.epilogue == Epilogue::add_residual)
                static_cast<float*>(a_.out)[at] += *reinterpret_cast<const float*>(y);
            else
                static_cast<float*>(a_.out)[at] = *reinterpret_cast<const float*>(y);
        }
    }

    /// Until all but the last `pending` pieces that were copied have left their places.
    template<int pending>
    __device__ void wait_for_place() const {
        if (issues())
            wait_bulk_reads<pending>();
        group_barrier();
    }

    /// The one thread of the warpgroup that asks for copies. Not by elect.sync: with it the compiler no
    /// longer knows that warps stay together, and makes sure of it before every slab's products.
    __device__ bool issues() const {
        return threadIdx.x % 128 == 0;
    }

    __device__ std::uint8_t* place(int piece) const {
        return ring_.outgoing() + (group_ * B::places + piece % B::places) * place_bytes;
    }

    static __device__ std::uint32_t halves(float low, float high) {
        const __half2 pair = __floats2half2_rn(low, high);
        return *reinterpret_cast<const std::uint32_t*>(&pair);
    }

    __device__ void group_barrier() const {
        asm volatile("bar.sync %0, 128;" ::"r"(2 + group_) : "memory");
    }

    const Arguments& a_;
    const Ring<B>& ring_;
    int lane_;
    int warp_;
    int group_;
    int first_col_; ///< of the warpgroup's batch rows in the tile
};

} // namespace quantscope::kernels::wgmma_detail
