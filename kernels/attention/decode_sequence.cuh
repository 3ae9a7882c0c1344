// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/rope.cuh"
#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"
#include "kernels/base/wgmma.cuh"

#include <cmath>

/// A block's way through the sequences of attend_decode(): Hopper.
namespace quantscope::kernels::decode_detail {

// Eight warps compute, one thread of a ninth brings keys and values, split after split, by bulk copies
// through a ring of stages: first all keys, then all values. The order of sums is split_attention.cuh's.
constexpr int compute_warps = 8;
constexpr int compute_threads = compute_warps * 32;
constexpr int threads = compute_threads + 32;

/// Shared memory of a block, for `group` query heads; every part a multiple of 16 bytes.
template<int head_dim, int stages_>
struct Layout {
    static constexpr int stages = stages_; ///< of split_keys keys or values
    static constexpr int stage_bytes = split_keys * head_dim * 2;
    std::uint8_t* ring;  ///< [stages][stage_bytes]
    __half* new_key;     ///< [head_dim]
    __half* new_value;   ///< [head_dim]
    float* query;        ///< [group][head_dim]
    float* parts;        ///< [group][splits][head_dim]
    float* scores;       ///< [group][splits][split_keys], then exponentials
    float2* peaks;       ///< [group][splits]: the largest score, the sum of the exponentials
    std::uint64_t* full; ///< [stages], then as many that say that a stage is empty

    __device__ Layout(std::uint8_t* base, int group, int splits)
        : ring(base), new_key(reinterpret_cast<__half*>(ring + stages * stage_bytes)),
          new_value(new_key + head_dim), query(reinterpret_cast<float*>(new_value + head_dim)),
          parts(query + group * head_dim), scores(parts + group * splits * head_dim),
          peaks(reinterpret_cast<float2*>(scores + group * splits * split_keys)),
          full(reinterpret_cast<std::uint64_t*>(peaks + (group * splits + 1) / 2 * 2)) {}

    static constexpr std::size_t bytes(int group, int splits) {
        return std::size_t{stages} * stage_bytes + std::size_t{4} * head_dim +
               static_cast<std::size_t>(group) * head_dim * 4 +
               static_cast<std::size_t>(group) * splits * (head_dim + split_keys) * 4 +
               (static_cast<std::size_t>(group) * splits + 1) / 2 * 16 + std::size_t{16} * stages;
    }
    __device__ const std::uint8_t* stage(int number) const { return ring + number * stage_bytes; }
    __device__ std::uint32_t full_at(int stage) const { return shared_address(full + stage); }
    __device__ std::uint32_t empty_at(int stage) const { return shared_address(full + stages + stage); }
};

/// One row and kv head.
struct Sequence {
    int row;
    int kv_head;
    int group;
    int slot; ///< -1: the row pads the batch
    int position;
    int splits;        ///< 0: the row pads the batch
    std::size_t cache; ///< where its keys begin, in halves; its values likewise

    /// @param item  counts kv heads, then rows
    __device__ Sequence(const AttentionRows& r, int item)
        : row(item / r.shape.kv_heads), kv_head(item % r.shape.kv_heads),
          group(r.shape.heads / r.shape.kv_heads), slot(r.slots[row]), position(r.positions[row]),
          splits(slot < 0 ? 0 : splits_of(position + 1)),
          cache((static_cast<std::size_t>(max(slot, 0)) * r.shape.kv_heads + kv_head) * r.shape.context *
                r.shape.head_dim) {}

    /// Cached keys of a split, the new one not among them.
    __device__ int cached(int split) const { return min(split_keys, position - split * split_keys); }
    __device__ int keys(int split) const { return min(split_keys, position + 1 - split * split_keys); }
};

/// One thread: for each of the block's sequences first the keys, then the values.
template<int head_dim, int stages>
__device__ void bring_cache(const AttentionRows& r, const Layout<head_dim, stages>& m) {
    RingPlace<stages> turn;
    bool refill = false;
    const int items = r.rows * r.shape.kv_heads;
    for (int item = blockIdx.x; item < items; item += gridDim.x) {
        const Sequence s(r, item);
        for (int i = 0; i < 2 * s.splits; ++i) {
            const int split = i < s.splits ? i : i - s.splits;
            if (refill)
                wait_for_stage(m.empty_at(turn.stage), turn.parity ^ 1);
            const int bytes = s.cached(split) * head_dim * 2;
            arrive_expecting(m.full_at(turn.stage), bytes);
            if (bytes > 0)
                copy_bulk(shared_address(m.stage(turn.stage)),
                          (i < s.splits ? r.keys : r.values) + s.cache +
                              static_cast<std::size_t>(split) * split_keys * head_dim,
                          bytes, m.full_at(turn.stage));
            turn.advance();
            refill |= turn.parity != 0;
        }
    }
}

__device__ inline void compute_barrier() {
    asm volatile("bar.sync 1, %0;" ::"n"(compute_threads) : "memory");
}

__device__ inline float2 floats_of(std::uint32_t pair) {
    return __half22float2(*reinterpret_cast<const __half2*>(&pair));
}

/// Cosine and sine of the pairs that a thread rotates.
template<int head_dim>
__device__ float2 angle_of(const Sequence& s, const float* cosines, const float* sines) {
    constexpr int half = head_dim / 2;
    static_assert(compute_threads % half == 0);
    const std::size_t at = static_cast<std::size_t>(max(s.position, 0)) * half + threadIdx.x % half;
    return {cosines[at], sines[at]};
}

/// Rotates the query heads and the new key; the key and the value also go into the cache.
template<int head_dim, int stages>
__device__ void take_new_token(const AttentionRows& r, const Sequence& s, const Layout<head_dim, stages>& m,
                               float2 angle) {
    constexpr int half = head_dim / 2;
    const AttentionShape& shape = r.shape;
    const float* const qkv = r.qkv + static_cast<std::size_t>(s.row) * shape.qkv_size();
    for (int item = threadIdx.x; item < (s.group + 2) * half; item += compute_threads) {
        const int i = item % half;
        const int number = item / half; // query heads, key, value
        const int head = number < s.group ? s.kv_head * s.group + number
                                          : shape.heads + (number - s.group) * shape.kv_heads + s.kv_head;
        const float a = qkv[head * head_dim + i];
        const float b = qkv[head * head_dim + i + half];
        float2 pair{a, b};
        if (number <= s.group)
            pair = rotate_pair(a, b, angle.x, angle.y);
        if (number < s.group) {
            m.query[number * head_dim + i] = pair.x;
            m.query[number * head_dim + i + half] = pair.y;
            continue;
        }
        const bool is_key = number == s.group;
        __half* const cache =
            (is_key ? r.keys : r.values) + s.cache + static_cast<std::size_t>(s.position) * head_dim;
        __half* const mine = is_key ? m.new_key : m.new_value;
        cache[i] = mine[i] = __float2half_rn(pair.x);
        cache[i + half] = mine[i + half] = __float2half_rn(pair.y);
    }
}

/// Scores of a split's keys: 8 threads a key, each a chain of 8 dimensions (and of those 64 further).
template<int head_dim, int stages>
__device__ void score_split(const Layout<head_dim, stages>& m, const Sequence& s, int split,
                            const std::uint8_t* stage, float scale) {
    constexpr int vectors = head_dim / 64;
    const int count = s.keys(split);
    const int part = static_cast<int>(threadIdx.x) % 8;
#pragma unroll 1
    for (int g = 0; g < s.group; ++g) {
        float query[vectors][8];
#pragma unroll
        for (int v = 0; v < vectors; ++v) {
            const float* const from = m.query + g * head_dim + (v * 8 + part) * 8;
            const float4 low = *reinterpret_cast<const float4*>(from);
            const float4 high = *reinterpret_cast<const float4*>(from + 4);
            const float eight[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
            for (int i = 0; i < 8; ++i)
                query[v][i] = eight[i];
        }
        float* const scores = m.scores + (g * s.splits + split) * split_keys;
#pragma unroll
        for (int pass = 0; pass < split_keys * 8 / compute_threads; ++pass) {
            const int key = pass * (compute_threads / 8) + static_cast<int>(threadIdx.x) / 8;
            const auto* const from = split * split_keys + key == s.position
                                         ? reinterpret_cast<const uint4*>(m.new_key)
                                         : reinterpret_cast<const uint4*>(stage + key * head_dim * 2);
            float sum = 0.0F;
#pragma unroll
            for (int v = 0; v < vectors; ++v) {
                const uint4 halves = from[v * 8 + part];
                const std::uint32_t pairs[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const float2 k = floats_of(pairs[i]);
                    sum = __fmaf_rn(query[v][2 * i], k.x, sum);
                    sum = __fmaf_rn(query[v][2 * i + 1], k.y, sum);
                }
            }
#pragma unroll
            for (int offset = 4; offset > 0; offset /= 2)
                sum = __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, offset));
            if (part == 0)
                scores[key] = key < count ? __fmul_rn(sum, scale) : -INFINITY;
        }
    }
}

/// One warp: a split's scores become exponentials, 0 where there is no key.
__device__ inline float2 exponentiate(float* scores, int count) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const float low = scores[lane];
    const float high = scores[lane + 32];
    float peak = fmaxf(low, high);
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, offset));
    const float first = lane < count ? exponential(__fsub_rn(low, peak)) : 0.0F;
    const float second = lane + 32 < count ? exponential(__fsub_rn(high, peak)) : 0.0F;
    float weight = __fadd_rn(first, second);
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2)
        weight = __fadd_rn(weight, __shfl_xor_sync(0xFFFFFFFFU, weight, offset));
    scores[lane] = first;
    scores[lane + 32] = second;
    return {peak, weight};
}

/// A warp sums 64 dimensions of a split's values, weighted. Lane 4c + j takes the keys of chain c and of each
/// the 16-byte vectors j and j + 4 (odd chains: j + 4 and j, so that no two lanes meet in a bank).
/// @param values  of the first of these dimensions, head_dim halves a key; @param out  [64]
template<int head_dim>
__device__ void sum_values(const float* exponentials, int count, const __half* values,
                           const __half* new_value, int new_at, float* out) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int chain = lane / 4;
    const int j = lane % 4;
    const bool odd = chain % 2 == 1;
    float sums[2][8] = {};
#pragma unroll
    for (int n = 0; n < split_keys / 8; ++n) {
        const int key = chain + 8 * n;
        if (key >= count)
            break;
        const float weight = exponentials[key];
        const auto* const from =
            reinterpret_cast<const uint4*>(key == new_at ? new_value : values + key * head_dim);
#pragma unroll
        for (int u = 0; u < 2; ++u) {
            const uint4 halves = from[j + ((u == 1) != odd ? 4 : 0)];
            const std::uint32_t pairs[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float2 v = floats_of(pairs[i]);
                sums[u][2 * i] = __fmaf_rn(weight, v.x, sums[u][2 * i]);
                sums[u][2 * i + 1] = __fmaf_rn(weight, v.y, sums[u][2 * i + 1]);
            }
        }
    }
    __syncwarp();
    // A tree over the chains; each step halves what a lane keeps.
    float eight[8];
    const bool upper = (lane & 16) != 0;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
        const float low = odd ? sums[1][i] : sums[0][i];
        const float high = odd ? sums[0][i] : sums[1][i];
        const float other = __shfl_xor_sync(0xFFFFFFFFU, upper ? low : high, 16);
        eight[i] = __fadd_rn(upper ? high : low, other);
    }
    float four[4];
    const bool second = (lane & 8) != 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float other = __shfl_xor_sync(0xFFFFFFFFU, second ? eight[i] : eight[i + 4], 8);
        four[i] = __fadd_rn(second ? eight[i + 4] : eight[i], other);
    }
    float two[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const float other = __shfl_xor_sync(0xFFFFFFFFU, odd ? four[i] : four[i + 2], 4);
        two[i] = __fadd_rn(odd ? four[i + 2] : four[i], other);
    }
    const int dim = (upper ? 32 : 0) + j * 8 + (second ? 4 : 0) + (odd ? 2 : 0);
    *reinterpret_cast<float2*>(out + dim) = {two[0], two[1]};
}

/// As join_splits().
template<int head_dim, int stages>
__device__ void join(const AttentionRows& r, const Sequence& s, const Layout<head_dim, stages>& m,
                     float* out) {
    for (int item = threadIdx.x; item < s.group * head_dim; item += compute_threads) {
        const int g = item / head_dim;
        const float2* const peaks = m.peaks + g * s.splits;
        const float* const parts = m.parts + g * s.splits * head_dim + item % head_dim;
        float peak = -INFINITY;
        for (int i = 0; i < s.splits; ++i)
            peak = fmaxf(peak, peaks[i].x);
        float sum = 0.0F;
        float weight = 0.0F;
        for (int i = 0; i < s.splits; ++i) {
            const float rescale = exponential(__fsub_rn(peaks[i].x, peak));
            sum = __fmaf_rn(parts[i * head_dim], rescale, sum);
            weight = __fmaf_rn(peaks[i].y, rescale, weight);
        }
        out[(static_cast<std::size_t>(s.row) * r.shape.heads + s.kv_head * s.group) * head_dim + item] =
            __fdiv_rn(sum, weight);
    }
}

/// The computing threads' part of one sequence. No barrier at its end is needed: what join() reads is written
/// two barriers later.
template<int head_dim, int stages>
__device__ void attend_sequence(const AttentionRows& r, const Sequence& s, const Layout<head_dim, stages>& m,
                                RingPlace<stages>& turn, float2 angle, float* out, float scale) {
    constexpr int units = head_dim / 64; // of a split's values
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const bool first_lane = threadIdx.x % 32 == 0;
    take_new_token(r, s, m, angle);
    compute_barrier();
    for (int split = 0; split < s.splits; ++split, turn.advance()) {
        wait_barrier(m.full_at(turn.stage), turn.parity);
        score_split(m, s, split, m.stage(turn.stage), scale);
        give_stage_back(m.empty_at(turn.stage));
    }
    compute_barrier();
    for (int i = warp; i < s.group * s.splits; i += compute_warps) {
        const float2 peak = exponentiate(m.scores + i * split_keys, s.keys(i % s.splits));
        if (first_lane)
            m.peaks[i] = peak;
    }
    compute_barrier();
    for (int split = 0; split < s.splits; ++split, turn.advance()) {
        wait_barrier(m.full_at(turn.stage), turn.parity);
        const auto* const stage = reinterpret_cast<const __half*>(m.stage(turn.stage));
        for (int u = (warp + compute_warps - split * units % compute_warps) % compute_warps;
             u < units * s.group; u += compute_warps) {
            const int part = u / units * s.splits + split; // of a query head
            const int dim = u % units * 64;
            sum_values<head_dim>(m.scores + part * split_keys, s.keys(split), stage + dim, m.new_value + dim,
                                 s.position - split * split_keys, m.parts + part * head_dim + dim);
        }
        give_stage_back(m.empty_at(turn.stage));
    }
    compute_barrier();
    join(r, s, m, out);
}

template<int head_dim, int stages>
__device__ void compute(const AttentionRows& r, const Layout<head_dim, stages>& m, const float* cosines,
                        const float* sines, float* out, float scale) {
    RingPlace<stages> turn;
    const int items = r.rows * r.shape.kv_heads;
    int item = blockIdx.x;
    Sequence s(r, item);
    float2 angle = angle_of<head_dim>(s, cosines, sines);
    wait_for_previous_kernel();
    while (true) {
        const int size = s.group * head_dim;
        if (s.splits > 0)
            attend_sequence(r, s, m, turn, angle, out, scale);
        else
            for (int i = threadIdx.x; i < size; i += compute_threads)
                out[static_cast<std::size_t>(item) * size + i] = 0.0F;
        item += gridDim.x;
        if (item >= items)
            return;
        s = Sequence(r, item);
        angle = angle_of<head_dim>(s, cosines, sines);
    }
}

} // namespace quantscope::kernels::decode_detail
