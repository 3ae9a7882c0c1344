// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/prefill.cuh"

#include "kernels/attention/prefill_rows.cuh"
#include "kernels/base/device.cuh"
#include "kernels/base/features.h"
#include "kernels/gemm/fragments.cuh"

namespace quantscope::kernels {
namespace prefill_detail {

__device__ void load_matrices(std::uint32_t (&m)[4], const __half* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(address)
                 : "memory");
}
__device__ void load_matrices_transposed(std::uint32_t (&m)[4], const __half* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(address)
                 : "memory");
}

/// Products of a warp's rows with keys and values in shared memory, on mma.sync.
template<int head_dim>
class MmaRows : public WarpRows<head_dim> {
  public:
    static constexpr int pitch = head_dim + 8; ///< halves; 8 rows of a matrix hit all banks
    using Base = WarpRows<head_dim>;
    using Base::Base;

    /// Takes block_keys keys, of which the first is number `first_key`.
    __device__ void take(const __half* keys, const __half* values, int first_key, float scale) {
        typename Base::Scores scores;
        score(keys, scores);
        this->exponentiate(scores, first_key, scale);
        add(values, scores);
    }

  private:
    __device__ void score(const __half* keys, typename Base::Scores& scores) const {
        const int lane = this->lane_;
#pragma unroll
        for (int j = 0; j < block_keys / 8; ++j) {
            float acc[4] = {};
#pragma unroll
            for (int k = 0; k < head_dim / 32; ++k) { // two steps of 16 dimensions
                std::uint32_t m[4];
                load_matrices(m, keys + (j * 8 + lane % 8) * pitch + k * 32 + lane / 8 * 8);
                mma_f16(acc, this->query_low_[2 * k], m[0], m[1]);
                mma_f16(acc, this->query_high_[2 * k], m[0], m[1]);
                mma_f16(acc, this->query_low_[2 * k + 1], m[2], m[3]);
                mma_f16(acc, this->query_high_[2 * k + 1], m[2], m[3]);
            }
#pragma unroll
            for (int i = 0; i < 4; ++i)
                scores[4 * j + i] = acc[i];
        }
    }

    __device__ void add(const __half* values, const typename Base::Scores& p) {
        const int lane = this->lane_;
#pragma unroll
        for (int k = 0; k < block_keys / 16; ++k) {
            std::uint32_t high[4];
            std::uint32_t low[4];
            this->split(p, k, high, low);
#pragma unroll
            for (int d = 0; d < head_dim / 16; ++d) {
                std::uint32_t m[4];
                load_matrices_transposed(m, values + (k * 16 + lane % 16) * pitch + d * 16 + lane / 16 * 8);
                add_four(8 * d, high, low, m[0], m[1]);
                add_four(8 * d + 4, high, low, m[2], m[3]);
            }
        }
    }

    __device__ void add_four(int first, const std::uint32_t (&high)[4], const std::uint32_t (&low)[4],
                             std::uint32_t b0, std::uint32_t b1) {
        float acc[4];
#pragma unroll
        for (int i = 0; i < 4; ++i)
            acc[i] = this->sum_[first + i];
        mma_f16(acc, low, b0, b1);
        mma_f16(acc, high, b0, b1);
#pragma unroll
        for (int i = 0; i < 4; ++i)
            this->sum_[first + i] = acc[i];
    }
};

/// Keys or values [first, first + block_keys) of one head; zeros from `count` on, so that nothing unwritten
/// is read.
template<int head_dim>
__device__ void load_tile(__half* to, const __half* from, int first, int count) {
    constexpr int vectors = head_dim / 8;
    for (int i = threadIdx.x; i < block_keys * vectors; i += block_threads) {
        const int key = first + i / vectors;
        const bool present = key < count;
        const __half* const source =
            from + static_cast<std::size_t>(present ? key : 0) * head_dim + i % vectors * 8;
        const auto address = static_cast<std::uint32_t>(
            __cvta_generic_to_shared(to + i / vectors * (head_dim + 8) + i % vectors * 8));
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(source),
                     "r"(present ? 16 : 0)
                     : "memory");
    }
}

/// Grid (blocks of rows, heads). Shared: keys and values of two tiles.
template<int head_dim>
__global__ void __launch_bounds__(block_threads)
    attend_prefill_kernel(const AttentionRows r, float* out, float scale) {
    extern __shared__ __align__(16) __half tiles[];
    __shared__ Rows rows;
    constexpr int tile = block_keys * MmaRows<head_dim>::pitch;
    let_next_kernel_start();
    wait_for_previous_kernel();
    const AttentionShape& s = r.shape;
    const int head = blockIdx.y;
    const int first_row = static_cast<int>(blockIdx.x) * block_rows;
    const int in_block = min(block_rows, r.rows - first_row);
    rows.load(r, first_row);
    for (int first = 0; first < in_block;) {
        const Segment segment = rows.segment(first);
        first = segment.end;
        const std::size_t cache =
            static_cast<std::size_t>(max(segment.slot, 0)) * s.slot_size() +
            static_cast<std::size_t>(head / (s.heads / s.kv_heads)) * s.context * head_dim;
        const auto load = [&](int i) {
            __half* const to = tiles + i % 2 * 2 * tile;
            load_tile<head_dim>(to, r.keys + cache, i * block_keys, segment.keys);
            load_tile<head_dim>(to + tile, r.values + cache, i * block_keys, segment.keys);
            commit_copies();
        };
        load(0);
        MmaRows<head_dim> warp_rows(r, rows, segment, first_row, head);
        for (int i = 0; i * block_keys < segment.keys; ++i) {
            wait_copies<0>();
            __syncthreads(); // tile i is there, and every warp has left tile i - 1
            if ((i + 1) * block_keys < segment.keys)
                load(i + 1);
            const __half* const from = tiles + i % 2 * 2 * tile;
            if (i * block_keys < warp_rows.most_keys())
                warp_rows.take(from, from + tile, i * block_keys, scale);
        }
        warp_rows.write(s, head, out);
        wait_copies<0>();
        __syncthreads(); // the next segment writes the tiles
    }
}

template<int head_dim>
Status launch_prefill(const AttentionRows& rows, float* out, const Launch& how) {
    const dim3 grid((rows.rows + block_rows - 1) / block_rows, rows.shape.heads);
    const std::size_t bytes = std::size_t{4} * block_keys * MmaRows<head_dim>::pitch * sizeof(__half);
    return launch("attend_prefill", attend_prefill_kernel<head_dim>, grid, dim3(block_threads), bytes, how,
                  rows, out, 1.0F / std::sqrt(static_cast<float>(head_dim)));
}

} // namespace prefill_detail

Status attend_prefill(const AttentionRows& rows, float* out, const Launch& how) {
    bool wgmma = false;
    QS_TRY(has_wgmma(wgmma));
    if (wgmma)
        return attend_prefill_wgmma(rows, out, how);
    return rows.shape.head_dim == 64 ? prefill_detail::launch_prefill<64>(rows, out, how)
                                     : prefill_detail::launch_prefill<128>(rows, out, how);
}

} // namespace quantscope::kernels
