// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/prefill.cuh"
#include "kernels/attention/prefill_rows.cuh"
#include "kernels/base/device.cuh"
#include "kernels/base/wgmma.cuh"

namespace quantscope::kernels {
namespace prefill_detail {

/// A tile in shared memory: for each 64 dimensions, block_keys rows of 128 bytes, swizzled.
constexpr int part_bytes = block_keys * 128;

/// Products of a warpgroup's rows with a tile of keys and values.
template<int head_dim>
class GroupRows : public WarpRows<head_dim> {
  public:
    using Base = WarpRows<head_dim>;
    using Base::Base;

    /// Takes block_keys keys, of which the first is number `first_key`; addresses of shared memory.
    __device__ void take(std::uint32_t keys, std::uint32_t values, int first_key, float scale) {
        typename Base::Scores scores;
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < head_dim / 16; ++k) {
            const std::uint64_t b = slab_descriptor(keys + k / 4 * part_bytes) + k % 4 * 2;
            wgmma(scores, this->query_low_[k], b, k > 0 ? 1 : 0);
            wgmma(scores, this->query_high_[k], b, 1);
        }
        wgmma_commit();
        wgmma_wait<0>();
        settle(scores);
        this->exponentiate(scores, first_key, scale);
        std::uint32_t high[block_keys / 16][4];
        std::uint32_t low[block_keys / 16][4];
#pragma unroll
        for (int k = 0; k < block_keys / 16; ++k)
            this->split(scores, k, high[k], low[k]);
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < block_keys / 16; ++k) {
            const std::uint64_t b = transposed_descriptor(values + k * 2048, part_bytes);
            wgmma_transposed(this->sum_, low[k], b, 1);
            wgmma_transposed(this->sum_, high[k], b, 1);
        }
        wgmma_commit();
        wgmma_wait<0>();
        settle(this->sum_);
    }
};

/// Keys or values [first, first + block_keys) of one head; zeros from `count` on, so that nothing unwritten
/// is read.
template<int head_dim>
__device__ void load_swizzled(std::uint32_t to, const __half* from, int first, int count) {
    constexpr int vectors = head_dim / 8;
    for (int i = threadIdx.x; i < block_keys * vectors; i += block_threads) {
        const int row = i / vectors;
        const int vector = i % vectors;
        const bool present = first + row < count;
        const __half* const source =
            from + static_cast<std::size_t>(present ? first + row : 0) * head_dim + vector * 8;
        const std::uint32_t at = to + vector / 8 * part_bytes + row * 128 + (vector % 8 ^ row % 8) * 16;
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(source),
                     "r"(present ? 16 : 0)
                     : "memory");
    }
}

/// Grid (heads, blocks of rows), the last rows first: they have most keys. Shared: keys and values of two
/// tiles. Two blocks share a multiprocessor, so that one's exponentials hide the other's products.
template<int head_dim>
__global__ void __launch_bounds__(block_threads, 2)
    attend_prefill_wgmma_kernel([[maybe_unused]] const AttentionRows r, [[maybe_unused]] float* out,
                                [[maybe_unused]] float scale) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) std::uint8_t prefill_shared[];
    __shared__ Rows rows;
    constexpr int tile_bytes = head_dim / 64 * part_bytes;
    const std::uint32_t tiles = (shared_address(prefill_shared) + 1023U) / 1024U * 1024U;
    let_next_kernel_start();
    wait_for_previous_kernel();
    const AttentionShape& s = r.shape;
    const int head = blockIdx.x;
    const int first_row = static_cast<int>(gridDim.y - 1 - blockIdx.y) * block_rows;
    const int in_block = min(block_rows, r.rows - first_row);
    rows.load(r, first_row);
    for (int first = 0; first < in_block;) {
        const Segment segment = rows.segment(first);
        first = segment.end;
        const std::size_t cache =
            static_cast<std::size_t>(max(segment.slot, 0)) * s.slot_size() +
            static_cast<std::size_t>(head / (s.heads / s.kv_heads)) * s.context * head_dim;
        const auto load = [&](int i) {
            const std::uint32_t to = tiles + i % 2 * 2 * tile_bytes;
            load_swizzled<head_dim>(to, r.keys + cache, i * block_keys, segment.keys);
            load_swizzled<head_dim>(to + tile_bytes, r.values + cache, i * block_keys, segment.keys);
            commit_copies();
        };
        load(0);
        GroupRows<head_dim> group_rows(r, rows, segment, first_row, head);
        for (int i = 0; i * block_keys < segment.keys; ++i) {
            wait_copies<0>();
            fence_shared_writes();
            __syncthreads(); // tile i is there, and every warp has left tile i - 1
            if ((i + 1) * block_keys < segment.keys)
                load(i + 1);
            const std::uint32_t from = tiles + i % 2 * 2 * tile_bytes;
            group_rows.take(from, from + tile_bytes, i * block_keys, scale);
        }
        group_rows.write(s, head, out);
        wait_copies<0>();
        __syncthreads(); // the next segment writes the tiles
    }
#endif
}

template<int head_dim>
Status launch_wgmma(const AttentionRows& rows, float* out, const Launch& how) {
    const dim3 grid(rows.shape.heads, (rows.rows + block_rows - 1) / block_rows);
    const std::size_t bytes = 1024 + std::size_t{4} * (head_dim / 64) * part_bytes;
    return launch("attend_prefill_wgmma", attend_prefill_wgmma_kernel<head_dim>, grid, dim3(block_threads),
                  bytes, how, rows, out, 1.0F / std::sqrt(static_cast<float>(head_dim)));
}

} // namespace prefill_detail

Status attend_prefill_wgmma(const AttentionRows& rows, float* out, const Launch& how) {
    return rows.shape.head_dim == 64 ? prefill_detail::launch_wgmma<64>(rows, out, how)
                                     : prefill_detail::launch_wgmma<128>(rows, out, how);
}

} // namespace quantscope::kernels
