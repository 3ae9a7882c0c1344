// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/rope.cuh"
#include "kernels/gemm/multiply.h"

/// The way of q, k and v from a product: RoPE and the KV cache (attention.h: rotate_and_append()).
namespace quantscope::kernels::wgmma_detail {

/// One head of some batch rows, from shared memory to where it belongs. Of each 32 rows a thread takes one:
/// of its first half `items` times four elements, and those of the second half that belong to them.
template<int threads>
class HeadWriter {
  public:
    static constexpr int head_dim = 128;
    static constexpr int chunk_rows = 32;
    static constexpr int row_threads = threads / chunk_rows;
    static constexpr int items = head_dim / 8 / row_threads;

    /// @param head  of all of q, k, v; @param thread  0 .. threads - 1
    __device__ HeadWriter(const HeadAppend& to, int head, int first_row, int batch, int thread)
        : to_(to), head_(head), in_chunk_(thread / row_threads), row_(first_row + in_chunk_), batch_(batch),
          element_(thread % row_threads * 4) {
        ask_row(row_);
    }

    /// To be called for each chunk, in order, some time before take(): asks for what comes from memory.
    __device__ void ask() {
        slot_ = next_slot_;
        const float* const angle =
            to_.cosines + static_cast<std::size_t>(next_position_) * (head_dim / 2) + element_;
        const std::ptrdiff_t to_sines = to_.sines - to_.cosines;
        position_ = next_position_;
        if (rotates()) {
#pragma unroll
            for (int i = 0; i < items; ++i) {
                cosine_[i] = __ldg(reinterpret_cast<const float4*>(angle + i * 4 * row_threads));
                sine_[i] = __ldg(reinterpret_cast<const float4*>(angle + to_sines + i * 4 * row_threads));
            }
        }
        ask_row(row_ + chunk_rows);
    }

    /// Of a chunk this thread takes this row, from this element on.
    __device__ int row() const {
        return in_chunk_;
    }
    __device__ int element() const {
        return element_;
    }

    /// @param from  that element; those a multiple of 4 * row_threads further stand as far on
    __device__ void take(const float* from) {
        static_assert(row_threads == 8);
        const AttentionShape& s = to_.rows.shape;
        if (row_ < batch_) {
            float* const query =
                to_.rows.qkv + static_cast<std::size_t>(row_) * s.qkv_size() + head_ * head_dim + element_;
            __half* const token = cached();
#pragma unroll
            for (int i = 0; i < items; ++i) {
                const int at = i * 4 * row_threads;
                float4 a = *reinterpret_cast<const float4*>(from + at);
                float4 b = *reinterpret_cast<const float4*>(from + at + head_dim / 2);
                if (rotates())
                    rotate_four(a, b, cosine_[i], sine_[i]);
                if (head_ < s.heads) {
                    *reinterpret_cast<float4*>(query + at) = a;
                    *reinterpret_cast<float4*>(query + at + head_dim / 2) = b;
                } else if (slot_ >= 0) {
                    store(token + at, a);
                    store(token + at + head_dim / 2, b);
                }
            }
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

    static __device__ void store(__half* at, const float4& v) {
        alignas(8) const __half2 pairs[2] = {__floats2half2_rn(v.x, v.y), __floats2half2_rn(v.z, v.w)};
        *reinterpret_cast<uint2*>(at) = *reinterpret_cast<const uint2*>(pairs);
    }

    const HeadAppend& to_;
    int head_;
    int in_chunk_;
    int row_; ///< of the next chunk to be taken
    int batch_;
    int element_;
    int slot_ = -1; ///< of that row
    int position_ = 0;
    int next_slot_; ///< of the chunk after
    int next_position_;
    float4 cosine_[items];
    float4 sine_[items];
};

} // namespace quantscope::kernels::wgmma_detail
