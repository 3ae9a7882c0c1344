// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/wgmma_division.cuh"
#include "kernels/gemm/wgmma_output.cuh"

/// The way of outputs out of a block: the warps that multiply leave them in shared memory piece by piece,
/// other warps have them copied to where they belong while the next tile is multiplied.
namespace quantscope::kernels::wgmma_detail {

/// How outputs lie in shared memory: floats; halves; floats of half of the channels (Epilogue::silu_mul);
/// floats of one head of q, k or v.
enum class OutputForm { plain, halves, pairs, heads };

/// A tile's outputs in pieces of 32 batch rows by all of its channels, through places in shared memory.
/// Pieces are counted through all tiles of the block; the warpgroups of Groups::columns, of which each has
/// batch rows of its own, take turns.
template<class B>
class Outbox {
  public:
    static constexpr int rows = piece_rows;
    static constexpr int pieces = B::cols / rows; ///< a tile
    static constexpr int turns = B::groups == Groups::columns ? 2 : 1;
    /// Messages say which piece of which tile is there; or that it went elsewhere; or that nothing more
    /// comes.
    static constexpr int gone = -1;
    static constexpr int end = -2;

    __device__ explicit Outbox(const Ring<B>& ring) : ring_(ring) {}

    __device__ void init() const {
        for (int i = 0; i < B::places; ++i) {
            init_barrier(full(i), consumers / 32 / turns * arrivals_a_warp);
            init_barrier(empty(i), arrivals_a_warp);
        }
    }

    /// First batch row of a piece within its tile.
    static __device__ int first_row(int piece) {
        return piece % turns * (B::cols / turns) + piece / turns * rows;
    }
    /// Channels of a tile, and those of a box: a piece lies in boxes of 128 bytes a batch row.
    static constexpr int channels(OutputForm form) {
        return B::row_tiles * (form == OutputForm::pairs ? 8 : 16);
    }
    static constexpr int box_channels(OutputForm form) { return form == OutputForm::halves ? 64 : 32; }
    static constexpr int box_bytes = rows * 128;
    /// Where an output lies in its piece: the 16-byte vectors of a row are exchanged as the 128-byte swizzle
    /// wants it, so that no two lanes of an instruction meet in a bank.
    static __device__ int offset(OutputForm form, int row, int channel) {
        const int byte = channel % box_channels(form) * (form == OutputForm::halves ? 2 : 4);
        return channel / box_channels(form) * box_bytes + row * 128 + (byte ^ row % 8 * 16);
    }
    __device__ std::uint8_t* outputs(int place) const { return ring_.outgoing() + place * B::place_bytes; }
    __device__ int& message(int place) const { return ring_.messages()[place]; }
    __device__ std::uint32_t full(int place) const { return ring_.place_full(place); }
    __device__ std::uint32_t empty(int place) const { return ring_.place_empty(place); }

  private:
    const Ring<B>& ring_;
};

/// One of the warps that see to the copies.
template<class B>
class Writer {
  public:
    using Box = Outbox<B>;

    __device__ Writer(const Arguments& a, const Box& box)
        : a_(a), box_(box), lane_(static_cast<int>(threadIdx.x) % 32),
          warp_(static_cast<int>(threadIdx.x - consumers) / 32),
          form_(a.epilogue == Epilogue::silu_mul    ? OutputForm::pairs
                : a.epilogue == Epilogue::store_f16 ? OutputForm::halves
                                                    : OutputForm::plain) {}

    __device__ void run() {
        wait_for_previous_kernel(); // it may still read what is overwritten here
        for (int piece = warp_;; piece += B::writers) {
            const int place = piece % B::places;
            wait_barrier(box_.full(place), piece / B::places % 2);
            const int message = box_.message(place);
            if (message >= 0)
                write(message, place);
            give_stage_back(box_.empty(place));
            if (message == Box::end)
                return;
        }
    }

  private:
    __device__ void write(int message, int place) const {
        const int tile = message / Box::pieces;
        const int row_block = tile / a_.batch_blocks;
        const int first_row = tile % a_.batch_blocks * B::cols + Box::first_row(message % Box::pieces);
        if (a_.mapped)
            copy(row_block, first_row, place);
        else
            write_each(row_block, first_row, box_.outputs(place));
    }

  private:
    /// A copy a box; returns once they have read shared memory.
    __device__ void copy(int row_block, int first_row, int place) const {
        __syncwarp();
        if (!elected() || first_row >= a_.batch)
            return;
        const int channels = form_ == OutputForm::pairs ? a_.rows / 2 : a_.rows;
        const int first_channel = row_block * Box::channels(form_);
        const std::uint32_t from = shared_address(box_.outputs(place));
        for (int box = 0; box < Box::channels(form_) / Box::box_channels(form_); ++box) {
            const int channel = first_channel + box * Box::box_channels(form_);
            if (channel >= channels)
                break;
            if (a_.epilogue == Epilogue::add_residual)
                add_box(&a_.out_map, channel, first_row, from + box * Box::box_bytes);
            else
                store_box(&a_.out_map, channel, first_row, from + box * Box::box_bytes);
        }
        commit_bulk();
        wait_bulk_reads<0>();
    }

    /// Where rows are not aligned as the copy engine wants them.
    __device__ void write_each(int row_block, int first_row, const std::uint8_t* outputs) const {
        const int channels = form_ == OutputForm::pairs ? a_.rows / 2 : a_.rows;
        const int first_channel = row_block * Box::channels(form_);
        const int rows = min(Box::rows, a_.batch - first_row);
        for (int row = 0; row < rows; ++row)
            for (int i = lane_; i < min(Box::channels(form_), channels - first_channel); i += 32) {
                const std::uint8_t* const y = outputs + Box::offset(form_, row, i);
                const std::size_t at =
                    static_cast<std::size_t>(first_row + row) * channels + first_channel + i;
                if (form_ == OutputForm::halves)
                    static_cast<__half*>(a_.out)[at] = *reinterpret_cast<const __half*>(y);
                else if (a_.epilogue == Epilogue::add_residual)
                    static_cast<float*>(a_.out)[at] += *reinterpret_cast<const float*>(y);
                else
                    static_cast<float*>(a_.out)[at] = *reinterpret_cast<const float*>(y);
            }
    }

    const Arguments& a_;
    const Box& box_;
    int lane_;
    int warp_;
    OutputForm form_;
};

} // namespace quantscope::kernels::wgmma_detail
