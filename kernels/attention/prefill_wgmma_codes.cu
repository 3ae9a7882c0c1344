// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/prefill.cuh"
#include "kernels/attention/prefill_codes.cuh"
#include "kernels/base/device.cuh"
#include "kernels/base/wgmma.cuh"

namespace quantscope::kernels {
namespace prefill_detail {

/// As the half cache's: for each 64 dimensions, block_keys rows of 128 bytes, swizzled.
constexpr int part_bytes = block_keys * 128;

/// Products of a warpgroup's rows with a tile of keys and values that were codes.
template<int head_dim>
class GroupCodeRows : public CodeRows<head_dim> {
  public:
    using Base = CodeRows<head_dim>;
    using Base::Base;

    /// Takes block_keys keys, of which the first is number `first_key`; halves, addresses of shared memory.
    __device__ void take(std::uint32_t keys, std::uint32_t values, const TileScales& scales, int first_key,
                         float scale) {
        typename Base::Scores scores;
        score(keys, scores);
        this->weigh_keys(scores, scales);
        this->exponentiate(scores, first_key, scale);
        this->weigh_values(scores, scales);
        add(values, scores);
    }

  private:
    __device__ void score(std::uint32_t keys, typename Base::Scores& scores) {
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
    }

    __device__ void add(std::uint32_t values, const typename Base::Scores& weights) {
        std::uint32_t high[block_keys / 16][4];
        std::uint32_t low[block_keys / 16][4];
#pragma unroll
        for (int k = 0; k < block_keys / 16; ++k)
            this->split(weights, k, high[k], low[k]);
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

/// A segment's keys and values on their way to shared memory: a thread copies codes for itself alone and
/// makes them halves when they have come, so that one barrier a tile does.
template<int head_dim>
class CodeTiles {
  public:
    static constexpr int tile_bytes = head_dim / 64 * part_bytes; ///< of halves
    static constexpr int codes_bytes = block_keys * head_dim;
    static constexpr std::size_t bytes = std::size_t{4} * tile_bytes + std::size_t{2} * codes_bytes +
                                         std::size_t{4} * block_keys * sizeof(float);

    /// @param shared  a multiple of 1024
    __device__ CodeTiles(std::uint8_t* shared, const AttentionRows& r, std::size_t first_token, int count)
        : halves_(shared), codes_(shared + 4 * tile_bytes),
          scales_(reinterpret_cast<float*>(codes_ + 2 * codes_bytes)),
          keys_from_(r.key_codes + first_token * head_dim),
          values_from_(r.value_codes + first_token * head_dim), key_scales_from_(r.key_scales + first_token),
          value_scales_from_(r.value_scales + first_token), count_(count) {}

    /// Asks for tile i, when this thread has opened the one before and every thread has left its scales.
    __device__ void start(int i) {
        copy_codes(0, keys_from_, i * block_keys);
        copy_codes(1, values_from_, i * block_keys);
        static_assert(block_threads == 2 * block_keys);
        const int key = i * block_keys + static_cast<int>(threadIdx.x) % block_keys;
        const bool present = key < count_;
        const float* const from = threadIdx.x < block_keys ? key_scales_from_ : value_scales_from_;
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(
                         shared_address(scales_ + i % 2 * block_threads + threadIdx.x)),
                     "l"(from + (present ? key : 0)), "r"(present ? 4 : 0)
                     : "memory");
        commit_copies();
    }

    /// Tile i as halves, when every thread has left tile i - 2. Before it is read: fence_shared_accesses()
    /// and a barrier.
    __device__ void open(int i) {
        wait_copies<0>();
#pragma unroll
        for (int values = 0; values < 2; ++values)
#pragma unroll
            for (int pass = 0; pass < passes; ++pass)
                open_vector(codes_at(values, pass), halves_ + (i % 2 * 2 + values) * tile_bytes,
                            vector_of(pass));
    }

    __device__ std::uint32_t keys(int i) const {
        return shared_address(halves_ + i % 2 * 2 * tile_bytes);
    }
    __device__ std::uint32_t values(int i) const {
        return keys(i) + tile_bytes;
    }
    __device__ TileScales scales(int i) const {
        const float* const keys = scales_ + i % 2 * block_threads;
        return {keys, keys + block_keys};
    }

  private:
    static constexpr int in_row = head_dim / 16; ///< vectors of 16 codes
    static constexpr int passes = block_keys * in_row / block_threads;

    /// Of a tile's block_keys * in_row.
    static __device__ int vector_of(int pass) {
        return pass * block_threads + static_cast<int>(threadIdx.x);
    }
    __device__ std::uint8_t* codes_at(int values, int pass) const {
        return codes_ + values * codes_bytes + vector_of(pass) * 16;
    }

    /// Zeros from `count_` on, so that nothing unwritten is read.
    __device__ void copy_codes(int values, const std::int8_t* from, int first) {
#pragma unroll
        for (int pass = 0; pass < passes; ++pass) {
            const int vector = vector_of(pass);
            const bool present = first + vector / in_row < count_;
            const std::size_t at =
                present ? static_cast<std::size_t>(first) * head_dim + static_cast<std::size_t>(vector) * 16
                        : 0;
            asm volatile(
                "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(codes_at(values, pass))),
                "l"(from + at), "r"(present ? 16 : 0)
                : "memory");
        }
    }

    static __device__ void open_vector(const std::uint8_t* codes, std::uint8_t* tile, int vector) {
        const uint4 sixteen = *reinterpret_cast<const uint4*>(codes);
        const uint4 lower = halves_of({sixteen.x, sixteen.y});
        const uint4 upper = halves_of({sixteen.z, sixteen.w});
        const int row = vector / in_row;
        const int part = vector % in_row / 4;
        const int at = vector % 4 * 2; // of the part's row, in vectors of halves
        std::uint8_t* const to = tile + part * part_bytes + row * 128;
        // The upper first in every other part: eight neighbours write to all banks.
        *reinterpret_cast<uint4*>(to + ((at + part % 2) ^ row % 8) * 16) = part % 2 == 0 ? lower : upper;
        *reinterpret_cast<uint4*>(to + ((at + 1 - part % 2) ^ row % 8) * 16) = part % 2 == 0 ? upper : lower;
    }

    std::uint8_t* halves_; ///< two of keys, values
    std::uint8_t* codes_;  ///< keys, values: [block_keys][head_dim]
    float* scales_;        ///< two of keys', values': [block_keys]
    const std::int8_t* keys_from_;
    const std::int8_t* values_from_;
    const float* key_scales_from_;
    const float* value_scales_from_;
    int count_;
};

/// Grid (heads, blocks of rows), the last rows first: they have most keys. Shared: CodeTiles. Two blocks
/// share a multiprocessor, so that one's exponentials and conversions hide the other's products.
template<int head_dim>
__global__ void __launch_bounds__(block_threads, 2)
    attend_prefill_wgmma_codes_kernel([[maybe_unused]] const AttentionRows r, [[maybe_unused]] float* out,
                                      [[maybe_unused]] float scale) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) std::uint8_t prefill_shared[];
    __shared__ Rows rows;
    std::uint8_t* const tiles_at = prefill_shared + (1024U - shared_address(prefill_shared) % 1024U) % 1024U;
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
        const std::size_t first_token = segment.first_token(s, head);
        CodeTiles<head_dim> tiles(tiles_at, r, first_token, segment.keys);
        tiles.start(0);
        GroupCodeRows<head_dim> group_rows(r, rows, segment, first_row, head);
        for (int i = 0; i * block_keys < segment.keys; ++i) {
            tiles.open(i);
            fence_shared_accesses();
            __syncthreads(); // tile i is there, and every warp has left tile i - 1
            if ((i + 1) * block_keys < segment.keys)
                tiles.start(i + 1);
            group_rows.take(tiles.keys(i), tiles.values(i), tiles.scales(i), i * block_keys, scale);
        }
        group_rows.write(s, head, out);
        wait_copies<0>();
        __syncthreads(); // the next segment writes the tiles
    }
#endif
}

template<int head_dim>
Status launch_wgmma_codes(const AttentionRows& rows, float* out, const Launch& how) {
    const dim3 grid(rows.shape.heads, (rows.rows + block_rows - 1) / block_rows);
    return launch("attend_prefill_wgmma_codes", attend_prefill_wgmma_codes_kernel<head_dim>, grid,
                  dim3(block_threads), 1024 + CodeTiles<head_dim>::bytes, how, rows, out,
                  1.0F / std::sqrt(static_cast<float>(head_dim)));
}

} // namespace prefill_detail

Status attend_prefill_wgmma_codes(const AttentionRows& rows, float* out, const Launch& how) {
    return rows.shape.head_dim == 64 ? prefill_detail::launch_wgmma_codes<64>(rows, out, how)
                                     : prefill_detail::launch_wgmma_codes<128>(rows, out, how);
}

} // namespace quantscope::kernels
