// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/prefill.cuh"

#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"
#include "kernels/gemm/fragments.cuh"

#include <cmath>

namespace quantscope::kernels {
namespace {

constexpr int block_rows = 64; ///< 16 a warp
constexpr int block_keys = 64;
constexpr int threads = 128;

/// A float as the sum of two halves: what one loses, the other keeps, so that products on tensor cores are
/// nearly those of floats.
struct TwoHalves {
    std::uint32_t high;
    std::uint32_t low;

    __device__ TwoHalves() = default;
    __device__ TwoHalves(float a, float b) {
        const __half2 upper = __floats2half2_rn(a, b);
        const float2 back = __half22float2(upper);
        const __half2 lower = __floats2half2_rn(a - back.x, b - back.y);
        high = *reinterpret_cast<const std::uint32_t*>(&upper);
        low = *reinterpret_cast<const std::uint32_t*>(&lower);
    }
};

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

/// Rows of the block that belong to one slot, from `first` on.
struct Segment {
    int first;
    int end;
    int slot;
    int keys; ///< of its longest row
};

/// What the block's rows are; in shared memory.
struct Rows {
    int slots[block_rows];
    int keys[block_rows]; ///< position + 1; 0 for rows that pad the batch
    unsigned starts[2];   ///< bit i: row i is not of the slot of row i - 1

    __device__ void load(const AttentionRows& r, int first_row) {
        const int i = threadIdx.x;
        if (i < block_rows) {
            const int row = first_row + i;
            const bool present = row < r.rows;
            slots[i] = present ? r.slots[row] : -2;
            keys[i] = present && slots[i] >= 0 ? r.positions[row] + 1 : 0;
        }
        __syncthreads();
        const unsigned word =
            __ballot_sync(0xFFFFFFFFU, i < block_rows && i > 0 &&
                                           slots[i % block_rows] != slots[(i + block_rows - 1) % block_rows]);
        if (i < block_rows && i % 32 == 0)
            starts[i / 32] = word;
        __syncthreads();
    }

    __device__ Segment segment(int first) const {
        const unsigned long long all = starts[0] | static_cast<unsigned long long>(starts[1]) << 32U;
        const unsigned long long later = first + 1 < block_rows ? all >> (first + 1) : 0ULL;
        const int end = later != 0 ? first + __ffsll(static_cast<long long>(later)) : block_rows;
        const int lane = threadIdx.x % 32;
        int most = 0;
        for (int i = lane; i < block_rows; i += 32)
            most = i >= first && i < end ? max(most, keys[i]) : most;
        for (int offset = 16; offset > 0; offset /= 2)
            most = max(most, __shfl_xor_sync(0xFFFFFFFFU, most, offset));
        return {first, end, slots[first], most};
    }
};

/// One warp's 16 rows: queries, and what is summed so far. Lane 4g + t holds rows g and g + 8.
template<int head_dim>
class WarpRows {
  public:
    static constexpr int pitch = head_dim + 8; ///< halves; 8 rows of a matrix hit all banks

    __device__ WarpRows(const AttentionRows& r, const Rows& rows, const Segment& segment, int first_row,
                        int head)
        : lane_(static_cast<int>(threadIdx.x) % 32) {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            const int in_block = static_cast<int>(threadIdx.x) / 32 * 16 + lane_ / 4 + 8 * upper;
            const bool present = in_block >= segment.first && in_block < segment.end;
            row_[upper] = first_row + in_block;
            keys_[upper] = present ? rows.keys[in_block] : 0;
            writes_[upper] = present && row_[upper] < r.rows;
            const float* const query =
                r.qkv + static_cast<std::size_t>(writes_[upper] ? row_[upper] : 0) * r.shape.qkv_size() +
                head * head_dim + lane_ % 4 * 2;
#pragma unroll
            for (int k = 0; k < head_dim / 8; ++k) { // columns 8k + 2t, 8k + 2t + 1
                const float2 pair =
                    writes_[upper] ? *reinterpret_cast<const float2*>(query + k * 8) : float2{0.0F, 0.0F};
                query_[k / 2][k % 2 * 2 + upper] = TwoHalves(pair.x, pair.y);
            }
        }
        most_keys_ = max(keys_[0], keys_[1]);
        for (int offset = 16; offset > 0; offset /= 2)
            most_keys_ = max(most_keys_, __shfl_xor_sync(0xFFFFFFFFU, most_keys_, offset));
    }

    __device__ int most_keys() const {
        return most_keys_;
    }

    /// Takes block_keys keys, of which the first is number `first_key`.
    __device__ void take(const __half* keys, const __half* values, int first_key, float scale) {
        float scores[block_keys / 8][4];
        score(keys, scores);
        exponentiate(scores, first_key, scale);
        add(values, scores);
    }

    __device__ void write(const AttentionShape& s, int head, float* out) const {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            float weight = weight_[upper];
            weight += __shfl_xor_sync(0xFFFFFFFFU, weight, 1);
            weight += __shfl_xor_sync(0xFFFFFFFFU, weight, 2);
            if (!writes_[upper])
                continue;
            float* const to =
                out + (static_cast<std::size_t>(row_[upper]) * s.heads + head) * head_dim + lane_ % 4 * 2;
#pragma unroll
            for (int d = 0; d < head_dim / 8; ++d)
                *reinterpret_cast<float2*>(to + d * 8) =
                    keys_[upper] > 0 ? float2{sum_[d][2 * upper] / weight, sum_[d][2 * upper + 1] / weight}
                                     : float2{0.0F, 0.0F};
        }
    }

  private:
    __device__ void score(const __half* keys, float (&scores)[block_keys / 8][4]) const {
#pragma unroll
        for (int j = 0; j < block_keys / 8; ++j) {
            float acc[4] = {};
#pragma unroll
            for (int k = 0; k < head_dim / 32; ++k) { // two steps of 16 dimensions
                std::uint32_t m[4];
                load_matrices(m, keys + (j * 8 + lane_ % 8) * pitch + k * 32 + lane_ / 8 * 8);
                multiply(acc, query_[2 * k], m[0], m[1]);
                multiply(acc, query_[2 * k + 1], m[2], m[3]);
            }
#pragma unroll
            for (int i = 0; i < 4; ++i)
                scores[j][i] = acc[i];
        }
    }

    static __device__ void multiply(float (&acc)[4], const TwoHalves (&a)[4], std::uint32_t b0,
                                    std::uint32_t b1) {
        const std::uint32_t low[4] = {a[0].low, a[1].low, a[2].low, a[3].low};
        const std::uint32_t high[4] = {a[0].high, a[1].high, a[2].high, a[3].high};
        mma_f16(acc, low, b0, b1);
        mma_f16(acc, high, b0, b1);
    }

    /// Scores become exponentials against the largest so far; sums are rescaled to it.
    __device__ void exponentiate(float (&scores)[block_keys / 8][4], int first_key, float scale) {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            float peak = peak_[upper];
#pragma unroll
            for (int j = 0; j < block_keys / 8; ++j)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float& score = scores[j][2 * upper + i];
                    const int key = first_key + j * 8 + lane_ % 4 * 2 + i;
                    score = key < keys_[upper] ? score * scale : -INFINITY;
                    peak = fmaxf(peak, score);
                }
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, 1));
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, 2));
            const float base = peak == -INFINITY ? 0.0F : peak; // a row of another slot has no keys here
            const float rescale = exponential(peak_[upper] - base);
            peak_[upper] = peak;
            float weight = weight_[upper] * rescale;
#pragma unroll
            for (int j = 0; j < block_keys / 8; ++j)
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    float& score = scores[j][2 * upper + i];
                    score = score == -INFINITY ? 0.0F : exponential(score - base);
                    weight += score;
                }
            weight_[upper] = weight;
#pragma unroll
            for (int d = 0; d < head_dim / 8; ++d) {
                sum_[d][2 * upper] *= rescale;
                sum_[d][2 * upper + 1] *= rescale;
            }
        }
    }

    __device__ void add(const __half* values, const float (&p)[block_keys / 8][4]) {
#pragma unroll
        for (int k = 0; k < block_keys / 16; ++k) {
            const TwoHalves a[4] = {{p[2 * k][0], p[2 * k][1]},
                                    {p[2 * k][2], p[2 * k][3]},
                                    {p[2 * k + 1][0], p[2 * k + 1][1]},
                                    {p[2 * k + 1][2], p[2 * k + 1][3]}};
#pragma unroll
            for (int d = 0; d < head_dim / 16; ++d) {
                std::uint32_t m[4];
                load_matrices_transposed(m, values + (k * 16 + lane_ % 16) * pitch + d * 16 + lane_ / 16 * 8);
                multiply(sum_[2 * d], a, m[0], m[1]);
                multiply(sum_[2 * d + 1], a, m[2], m[3]);
            }
        }
    }

    int lane_;
    int row_[2];
    int keys_[2];
    bool writes_[2];
    int most_keys_ = 0;
    TwoHalves query_[head_dim / 16][4];
    float sum_[head_dim / 8][4] = {};
    float peak_[2] = {-INFINITY, -INFINITY};
    float weight_[2] = {0.0F, 0.0F}; ///< this lane's share
};

/// Keys or values [first, first + block_keys) of one head; zeros from `count` on, so that nothing unwritten
/// is read.
template<int head_dim>
__device__ void load_tile(__half* to, const __half* from, int first, int count) {
    constexpr int vectors = head_dim / 8;
    for (int i = threadIdx.x; i < block_keys * vectors; i += threads) {
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
__global__ void __launch_bounds__(threads)
    attend_prefill_kernel(const AttentionRows r, float* out, float scale) {
    extern __shared__ __align__(16) __half tiles[];
    __shared__ Rows rows;
    constexpr int tile = block_keys * WarpRows<head_dim>::pitch;
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
        WarpRows<head_dim> warp_rows(r, rows, segment, first_row, head);
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
    const std::size_t bytes = std::size_t{4} * block_keys * WarpRows<head_dim>::pitch * sizeof(__half);
    return launch("attend_prefill", attend_prefill_kernel<head_dim>, grid, dim3(threads), bytes, how, rows,
                  out, 1.0F / std::sqrt(static_cast<float>(head_dim)));
}

} // namespace

Status attend_prefill(const AttentionRows& rows, float* out, const Launch& how) {
    return rows.shape.head_dim == 64 ? launch_prefill<64>(rows, out, how)
                                     : launch_prefill<128>(rows, out, how);
}

} // namespace quantscope::kernels
