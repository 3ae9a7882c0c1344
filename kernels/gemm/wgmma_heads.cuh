// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/rope.cuh"
#include "kernels/gemm/multiply.h"

/// The way of q, k and v from a product: RoPE and the KV cache (attention.h: rotate_and_append()).
namespace quantscope::kernels::wgmma_detail {

/// One head of some batch rows on its way through shared memory, 32 rows at a time, by two warpgroups that
/// each have a quarter of its elements from each half. Four threads share a row; each takes eight neighbours
/// of the first half and those of the second that belong to them.
class HeadWriter {
  public:
    static constexpr int head_dim = 128;
    static constexpr int group_dim = head_dim / 4; ///< neighbours of a warpgroup
    static constexpr int chunk_rows = 32;

    /// @param head  of all of q, k, v; @param thread  of both warpgroups
    __device__ HeadWriter(const HeadAppend& to, int head, int first_row, int batch, int thread)
        : to_(to), head_(head), in_chunk_(thread % 128 / 4), row_(first_row + in_chunk_), batch_(batch),
          in_group_(thread % 4 * 8), element_(thread / 128 * group_dim + in_group_) {
        ask_row(row_);
    }

    /// Asks for what a chunk needs from memory; to be called after finish() of the one before.
    __device__ void ask() {
        slot_ = next_slot_;
        position_ = next_position_;
        if (rotates()) {
            const std::size_t at = static_cast<std::size_t>(position_) * (head_dim / 2) + element_;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                cosine_[i] = __ldg(reinterpret_cast<const float4*>(to_.cosines + at) + i);
                sine_[i] = __ldg(reinterpret_cast<const float4*>(to_.sines + at) + i);
            }
        }
        ask_row(row_ + chunk_rows);
    }

    /// Whether outputs stay where they were found, rotated, as a product of queries has them; k and v go to
    /// the cache.
    __device__ bool queries() const {
        return head_ < to_.rows.shape.heads;
    }

    /// @param at  where, in shared memory, an element of this thread's row of the chunk stands: at(row,
    /// element of the warpgroup's, those of the second half after those of the first)
    template<class At>
    __device__ void read(const At& at) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            first_[i] = *reinterpret_cast<const float4*>(at(in_chunk_, in_group_ + 4 * i));
            second_[i] = *reinterpret_cast<const float4*>(at(in_chunk_, in_group_ + group_dim + 4 * i));
        }
    }

    /// Queries go to where a product has them, rotated; k and v to the cache.
    __device__ void finish() {
        if (rotates()) {
#pragma unroll
            for (int i = 0; i < 2; ++i)
                rotate_four(first_[i], second_[i], cosine_[i], sine_[i]);
        }
        if (row_ >= batch_) {
        } else if (head_ < to_.rows.shape.heads) {
            float* const to = to_.rows.qkv + static_cast<std::size_t>(row_) * to_.rows.shape.qkv_size() +
                              head_ * head_dim + element_;
            store(to, first_);
            store(to + head_dim / 2, second_);
        } else if (slot_ >= 0) {
            __half* const token = cached();
            store(token, first_);
            store(token + head_dim / 2, second_);
        }
        row_ += chunk_rows;
    }

  private:
    __device__ bool rotates() const {
        return head_ < to_.rows.shape.heads + to_.rows.shape.kv_heads;
    }

    __device__ void ask_row(int row) {
        const int present = min(row, batch_ - 1);
        next_slot_ = __ldg(to_.rows.slots + present);
        next_position_ = __ldg(to_.rows.positions + present);
    }

    __device__ __half* cached() const {
        const AttentionShape& s = to_.rows.shape;
        const bool key = rotates();
        const int kv_head = max(head_ - s.heads - (key ? 0 : s.kv_heads), 0);
        return (key ? to_.rows.keys : to_.rows.values) + max(slot_, 0) * s.slot_size() +
               (static_cast<std::size_t>(kv_head) * s.context + position_) * head_dim + element_;
    }

    static __device__ void store(float* at, const float4 (&v)[2]) {
        reinterpret_cast<float4*>(at)[0] = v[0];
        reinterpret_cast<float4*>(at)[1] = v[1];
    }
    static __device__ void store(__half* at, const float4 (&v)[2]) {
        alignas(16)
            const __half2 pairs[4] = {__floats2half2_rn(v[0].x, v[0].y), __floats2half2_rn(v[0].z, v[0].w),
                                      __floats2half2_rn(v[1].x, v[1].y), __floats2half2_rn(v[1].z, v[1].w)};
        *reinterpret_cast<uint4*>(at) = *reinterpret_cast<const uint4*>(pairs);
    }

    const HeadAppend& to_;
    int head_;
    int in_chunk_;
    int row_; ///< of the chunk to be finished next
    int batch_;
    int in_group_;
    int element_;
    int slot_ = -1; ///< of row_
    int position_ = 0;
    int next_slot_; ///< of the chunk after
    int next_position_;
    float4 cosine_[2];
    float4 sine_[2];
    float4 first_[2];
    float4 second_[2];
};

} // namespace quantscope::kernels::wgmma_detail
