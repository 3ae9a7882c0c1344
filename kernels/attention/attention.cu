// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include "kernels/attention/prefill.cuh"
#include "kernels/base/device.cuh"

#include <cmath>

namespace quantscope::kernels {
namespace {

constexpr int threads = 128;

/// Shared memory of a block: one kv head's keys and values of split_keys positions, and the state of the
/// query heads that share them.
struct Shared {
    int key_pitch;  ///< halves; 8 more than a head, so that 16-byte reads of 8 keys hit 8 different banks
    int key_groups; ///< threads / (head_dim / 2): partial sums of one pair of dimensions
    int group;      ///< query heads
    __half* keys;   ///< [split_keys][key_pitch]
    __half* values; ///< [split_keys][head_dim]
    float* query;   ///< [group][head_dim]
    float* scores;  ///< [group][split_keys], then their exponentials
    float* sums;    ///< [group][key_groups][head_dim]
    float* peak;    ///< [group] largest score so far
    float* weight;  ///< [group] sum of the exponentials so far
    float* rescale; ///< [group]

    __host__ __device__ Shared(const AttentionShape& s, void* base)
        : key_pitch(s.head_dim + 8), key_groups(threads / (s.head_dim / 2)), group(s.heads / s.kv_heads),
          keys(static_cast<__half*>(base)), values(keys + split_keys * key_pitch),
          query(reinterpret_cast<float*>(values + split_keys * s.head_dim)),
          scores(query + group * s.head_dim), sums(scores + group * split_keys),
          peak(sums + group * key_groups * s.head_dim), weight(peak + group), rescale(weight + group) {}

    __host__ __device__ std::size_t bytes() const {
        return reinterpret_cast<const char*>(rescale + group) - reinterpret_cast<const char*>(keys);
    }
};

__device__ void load_chunk(const Shared& m, const AttentionShape& s, const __half* keys, const __half* values,
                           int count) {
    const int vectors = s.head_dim / 8;
    for (int i = threadIdx.x; i < count * vectors; i += threads) {
        const int key = i / vectors;
        const int at = i % vectors * 8;
        copy_async16(m.keys + key * m.key_pitch + at, keys + static_cast<std::size_t>(key) * s.head_dim + at);
        copy_async16(m.values + key * s.head_dim + at,
                     values + static_cast<std::size_t>(key) * s.head_dim + at);
    }
    commit_copies();
    wait_copies<0>();
    __syncthreads();
}

/// Two threads a key, half of the dimensions each.
__device__ void score_keys(const Shared& m, const AttentionShape& s, int count, float scale) {
    const int key = threadIdx.x / 2;
    const int first = threadIdx.x % 2 * (s.head_dim / 2);
    for (int g = 0; g < m.group; ++g) {
        float sum = 0.0F;
        if (key < count) {
            const float* const query = m.query + g * s.head_dim + first;
            const __half* const from = m.keys + key * m.key_pitch + first;
            for (int d = 0; d < s.head_dim / 2; d += 8) {
                const uint4 vector = *reinterpret_cast<const uint4*>(from + d);
                const auto* const pairs = reinterpret_cast<const __half2*>(&vector);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const float2 pair = __half22float2(pairs[i]);
                    sum = __fmaf_rn(query[d + 2 * i], pair.x, sum);
                    sum = __fmaf_rn(query[d + 2 * i + 1], pair.y, sum);
                }
            }
        }
        sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 1);
        if (threadIdx.x % 2 == 0)
            m.scores[g * split_keys + key] = key < count ? sum * scale : -INFINITY;
    }
    __syncthreads();
}

__device__ float warp_max(float v) {
    for (int offset = 16; offset > 0; offset /= 2)
        v = fmaxf(v, __shfl_xor_sync(0xFFFFFFFFU, v, offset));
    return v;
}
__device__ float warp_sum(float v) {
    for (int offset = 16; offset > 0; offset /= 2)
        v += __shfl_xor_sync(0xFFFFFFFFU, v, offset);
    return v;
}

/// Exponentials against the largest score so far; what was summed before is to be multiplied by rescale.
__device__ void exponentiate(const Shared& m) {
    const int lane = threadIdx.x % 32;
    for (int g = threadIdx.x / 32; g < m.group; g += threads / 32) {
        float* const scores = m.scores + g * split_keys;
        const float before = m.peak[g];
        const float peak = fmaxf(before, warp_max(fmaxf(scores[lane], scores[lane + 32])));
        const float first = expf(scores[lane] - peak);
        const float second = expf(scores[lane + 32] - peak);
        const float sum = warp_sum(first + second);
        scores[lane] = first;
        scores[lane + 32] = second;
        __syncwarp(); // every lane has read what lane 0 replaces
        if (lane == 0) {
            const float rescale = expf(before - peak);
            m.rescale[g] = rescale;
            m.peak[g] = peak;
            m.weight[g] = m.weight[g] * rescale + sum;
        }
    }
    __syncthreads();
}

/// A thread takes two dimensions of every key_groups-th key.
__device__ void add_values(const Shared& m, const AttentionShape& s, int count) {
    const int pairs = s.head_dim / 2;
    const int key_group = threadIdx.x / pairs;
    const int d = threadIdx.x % pairs * 2;
    if (key_group < m.key_groups) {
        for (int g = 0; g < m.group; ++g) {
            auto* const mine =
                reinterpret_cast<float2*>(m.sums + (g * m.key_groups + key_group) * s.head_dim + d);
            float2 sum{mine->x * m.rescale[g], mine->y * m.rescale[g]};
            for (int key = key_group; key < count; key += m.key_groups) {
                const float2 v =
                    __half22float2(*reinterpret_cast<const __half2*>(m.values + key * s.head_dim + d));
                const float weight = m.scores[g * split_keys + key];
                sum.x = __fmaf_rn(weight, v.x, sum.x);
                sum.y = __fmaf_rn(weight, v.y, sum.y);
            }
            *mine = sum;
        }
    }
    __syncthreads();
}

__device__ float summed(const Shared& m, const AttentionShape& s, int g, int d) {
    float sum = 0.0F;
    for (int group = 0; group < m.key_groups; ++group)
        sum += m.sums[(g * m.key_groups + group) * s.head_dim + d];
    return sum;
}

/// Grid (rows, kv heads, splits); without partials one block takes every chunk of the row.
__global__ void __launch_bounds__(threads)
    attend_kernel(const AttentionRows r, float* out, float* partials, float scale) {
    extern __shared__ uint4 shared[];
    let_next_kernel_start();
    wait_for_previous_kernel();
    const AttentionShape& s = r.shape;
    const Shared m(s, shared);
    const int row = blockIdx.x;
    const int kv_head = blockIdx.y;
    const int slot = r.slots[row];
    const int keys = slot < 0 ? 0 : r.positions[row] + 1;
    const int first_split = blockIdx.z;
    const int last_split = partials != nullptr ? first_split + 1 : splits_of(keys);
    if (partials != nullptr && first_split * split_keys >= keys)
        return;

    const float* const query =
        r.qkv + static_cast<std::size_t>(row) * s.qkv_size() + kv_head * m.group * s.head_dim;
    for (int i = threadIdx.x; i < m.group * s.head_dim; i += threads)
        m.query[i] = query[i];
    for (int i = threadIdx.x; i < m.group * m.key_groups * s.head_dim; i += threads)
        m.sums[i] = 0.0F;
    for (int g = threadIdx.x; g < m.group; g += threads) {
        m.peak[g] = -INFINITY;
        m.weight[g] = 0.0F;
    }
    __syncthreads();

    const std::size_t cache =
        (static_cast<std::size_t>(max(slot, 0)) * s.kv_heads + kv_head) * s.context * s.head_dim;
    for (int split = first_split; split < last_split; ++split) {
        const int count = min(split_keys, keys - split * split_keys);
        const std::size_t at = cache + static_cast<std::size_t>(split) * split_keys * s.head_dim;
        load_chunk(m, s, r.keys + at, r.values + at, count);
        score_keys(m, s, count, scale);
        exponentiate(m);
        add_values(m, s, count);
    }
    for (int i = threadIdx.x; i < m.group * s.head_dim; i += threads) {
        const int g = i / s.head_dim;
        const int d = i % s.head_dim;
        const int head = kv_head * m.group + g;
        const float sum = summed(m, s, g, d);
        const std::size_t at = static_cast<std::size_t>(row) * s.heads + head;
        if (partials == nullptr) {
            out[at * s.head_dim + d] = keys > 0 ? sum / m.weight[g] : 0.0F;
            continue;
        }
        float* const part = partials + (at * gridDim.z + first_split) * (s.head_dim + 2);
        part[d] = sum;
        if (d == 0) {
            part[s.head_dim] = m.peak[g];
            part[s.head_dim + 1] = m.weight[g];
        }
    }
}

/// Grid (heads, rows), a thread a dimension: the splits of a row, in order.
__global__ void join_splits_kernel(const AttentionRows r, const float* partials, int splits, float* out) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const int head_dim = r.shape.head_dim;
    const std::size_t at = static_cast<std::size_t>(blockIdx.y) * r.shape.heads + blockIdx.x;
    const int count = r.slots[blockIdx.y] < 0 ? 0 : splits_of(r.positions[blockIdx.y] + 1);
    const float* part = partials + at * splits * (head_dim + 2);
    float peak = -INFINITY;
    for (int i = 0; i < count; ++i)
        peak = fmaxf(peak, part[i * (head_dim + 2) + head_dim]);
    float sum = 0.0F;
    float weight = 0.0F;
    for (int i = 0; i < count; ++i, part += head_dim + 2) {
        const float rescale = expf(part[head_dim] - peak);
        sum = __fmaf_rn(part[threadIdx.x], rescale, sum);
        weight = __fmaf_rn(part[head_dim + 1], rescale, weight);
    }
    out[at * head_dim + threadIdx.x] = count > 0 ? sum / weight : 0.0F;
}

} // namespace

Status attend(const AttentionRows& rows, float* out, float* partials, int splits, const Launch& how) {
    const AttentionShape& s = rows.shape;
    if (s.head_dim % 32 != 0 || s.head_dim > max_head_dim || s.heads % s.kv_heads != 0)
        return {Status::Kind::unsupported, "attention takes heads of 32, 64, ... " +
                                               std::to_string(max_head_dim) + " dimensions, not " +
                                               std::to_string(s.head_dim)};
    if (partials == nullptr && prefill_takes(s.head_dim))
        return attend_prefill(rows, out, how);
    const std::size_t bytes = Shared(s, nullptr).bytes();
    const float scale = 1.0F / std::sqrt(static_cast<float>(s.head_dim));
    const dim3 grid(rows.rows, s.kv_heads, partials != nullptr ? splits : 1);
    QS_TRY(launch("attend", attend_kernel, grid, dim3(threads), bytes, how, rows, out, partials, scale));
    if (partials == nullptr)
        return {};
    return launch("join_splits", join_splits_kernel, dim3(s.heads, rows.rows), dim3(s.head_dim), 0,
                  Launch{how.stream, true}, rows, partials, splits, out);
}

} // namespace quantscope::kernels
