// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/prefill.cuh"

#include "kernels/attention/prefill_tiles.cuh"
#include "kernels/base/device.cuh"
#include "kernels/base/features.h"
#include "kernels/gemm/fragments.cuh"

#include <type_traits>

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

template<class Stored>
constexpr bool are_codes = std::is_same_v<Stored, std::int8_t>;

template<int head_dim, class Stored>
using RowsOver = std::conditional_t<are_codes<Stored>, CodeRows<head_dim>, WarpRows<head_dim>>;

/// Products of a warp's rows with keys and values in shared memory, on mma.sync.
template<int head_dim, class Stored>
class MmaRows : public RowsOver<head_dim, Stored> {
  public:
    static constexpr int pitch = head_dim + 8; ///< halves; 8 rows of a matrix hit all banks
    using Base = RowsOver<head_dim, Stored>;
    using Base::Base;

    /// Takes block_keys keys, of which the first is number `first_key`.
    __device__ void take(const __half* keys, const __half* values, const TileScales& scales, int first_key,
                         float scale) {
        typename Base::Scores scores;
        score(keys, scores);
        if constexpr (are_codes<Stored>)
            this->weigh_keys(scores, scales);
        this->exponentiate(scores, first_key, scale);
        if constexpr (are_codes<Stored>)
            this->weigh_values(scores, scales);
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

/// Grid (blocks of rows, heads). Shared: Tiles.
template<int head_dim, class Stored>
__global__ void __launch_bounds__(block_threads)
    attend_prefill_kernel(const AttentionRows r, float* out, float scale) {
    extern __shared__ __align__(16) unsigned char shared[];
    __shared__ Rows rows;
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
        const std::size_t first_token = segment.first_token(s, head);
        Tiles<head_dim, Stored> tiles(shared, r, first_token, segment.keys);
        tiles.start(0);
        MmaRows<head_dim, Stored> warp_rows(r, rows, segment, first_row, head);
        for (int i = 0; i * block_keys < segment.keys; ++i) {
            wait_copies<0>();
            __syncthreads(); // tile i is there, and every warp has left tile i - 1
            if ((i + 1) * block_keys < segment.keys)
                tiles.start(i + 1);
            tiles.open(i);
            if (i * block_keys < warp_rows.most_keys())
                warp_rows.take(tiles.keys(), tiles.values(), tiles.scales(), i * block_keys, scale);
        }
        warp_rows.write(s, head, out);
        wait_copies<0>();
        __syncthreads(); // the next segment writes the tiles
    }
}

template<int head_dim, class Stored>
Status launch_prefill(const AttentionRows& rows, float* out, const Launch& how) {
    const dim3 grid((rows.rows + block_rows - 1) / block_rows, rows.shape.heads);
    return launch("attend_prefill", attend_prefill_kernel<head_dim, Stored>, grid, dim3(block_threads),
                  Tiles<head_dim, Stored>::bytes, how, rows, out,
                  1.0F / std::sqrt(static_cast<float>(head_dim)));
}

template<int head_dim>
Status launch_prefill(const AttentionRows& rows, float* out, const Launch& how) {
    return rows.key_codes != nullptr ? launch_prefill<head_dim, std::int8_t>(rows, out, how)
                                     : launch_prefill<head_dim, __half>(rows, out, how);
}

} // namespace prefill_detail

Status attend_prefill_mma(const AttentionRows& rows, float* out, const Launch& how) {
    return rows.shape.head_dim == 64 ? prefill_detail::launch_prefill<64>(rows, out, how)
                                     : prefill_detail::launch_prefill<128>(rows, out, how);
}

Status attend_prefill(const AttentionRows& rows, float* out, const Launch& how) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    if (!device->hopper)
        return attend_prefill_mma(rows, out, how);
    return rows.key_codes != nullptr ? attend_prefill_wgmma_codes(rows, out, how)
                                     : attend_prefill_wgmma(rows, out, how);
}

} // namespace quantscope::kernels
