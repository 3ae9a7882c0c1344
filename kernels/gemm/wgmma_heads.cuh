// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/rope.cuh"
#include "kernels/gemm/multiply.h"

/// The way of q, k and v from a product: RoPE and the KV cache (attention.h: rotate_and_append()).
namespace quantscope::kernels::wgmma_detail {

/// One head of some batch rows on its way through shared memory, 32 rows at a time, by two warpgroups that
/// each have a quarter of its elements from each half. Four threads share a row; each takes twice four
/// elements of the first half and those of the second that belong to them.
class HeadWriter {
  public:
    static constexpr int head_dim = 128;
    static constexpr int group_dim = head_dim / 4; ///< neighbours of a warpgroup
    static constexpr int chunk_rows = 32;

    /// @param head  of all of q, k, v; @param thread  of both warpgroups
    __device__ HeadWriter(const HeadAppend& to, int head, int first_row, int batch, int thread)
        : to_(to), head_(head), in_chunk_(thread % 128 / 4), row_(first_row + in_chunk_), batch_(batch),
          in_group_(thread % 4 * 4 + thread / 4 % 2 * 16), first_(thread / 128 * group_dim) {
        ask_row(row_);
    }

    /// Asks for what a chunk needs from memory; to be called after finish() of the one before.
    __device__ void ask() {
        slot_ = next_slot_;
        position_ = next_position_;
        if (rotates()) {
            const std::size_t row = static_cast<std::size_t>(position_) * (head_dim / 2) + first_;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                cosine_[i] = __ldg(reinterpret_cast<const float4*>(to_.cosines + row + element(i)));
                sine_[i] = __ldg(reinterpret_cast<const float4*>(to_.sines + row + element(i)));
            }
        }
        ask_row(row_ + chunk_rows);
    }

    /// @param at  where, in shared memory, an element of this thread's row of the chunk stands: at(row,
    /// element of the warpgroup's, those of the second half after those of the first)
    template<class At>
    __device__ void read(const At& at) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            a_[i] = *reinterpret_cast<const float4*>(at(in_chunk_, element(i)));
            b_[i] = *reinterpret_cast<const float4*>(at(in_chunk_, element(i) + group_dim));
        }
    }

    /// Queries go to where a product has them, rotated; k and v to the cache.
    __device__ void finish() {
        if (rotates()) {
#pragma unroll
            for (int i = 0; i < 2; ++i)
                rotate_four(a_[i], b_[i], cosine_[i], sine_[i]);
        }
        const AttentionShape& shape = to_.rows.shape;
        if (row_ < batch_ && head_ < shape.heads)
            store(to_.rows.qkv + static_cast<std::size_t>(row_) * shape.qkv_size() + head_ * head_dim +
                  first_);
        else if (row_ < batch_ && slot_ >= 0)
            store(cached());
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
               (static_cast<std::size_t>(kv_head) * s.context + position_) * head_dim + first_;
    }

    template<class T>
    __device__ void store(T* head) const {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            store_four(head + element(i), a_[i]);
            store_four(head + element(i) + head_dim / 2, b_[i]);
        }
    }
    static __device__ void store_four(float* at, const float4& v) {
        *reinterpret_cast<float4*>(at) = v;
    }
    static __device__ void store_four(__half* at, const float4& v) {
        alignas(8) const __half2 pairs[2] = {__floats2half2_rn(v.x, v.y), __floats2half2_rn(v.z, v.w)};
        *reinterpret_cast<uint2*>(at) = *reinterpret_cast<const uint2*>(pairs);
    }

    /// Of the warpgroup's: four threads have 64 bytes together, and rows side by side other ones, so that no
    /// two lanes meet in a bank of shared memory.
    __device__ int element(int i) const {
        return in_group_ ^ i * 16;
    }

    const HeadAppend& to_;
    int head_;
    int in_chunk_;
    int row_; ///< of the chunk to be finished next
    int batch_;
    int in_group_;
    int first_;     ///< element of the head
    int slot_ = -1; ///< of row_
    int position_ = 0;
    int next_slot_; ///< of the chunk after
    int next_position_;
    float4 cosine_[2];
    float4 sine_[2];
    float4 a_[2];
    float4 b_[2];
};

} // namespace quantscope::kernels::wgmma_detail
