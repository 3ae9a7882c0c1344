// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"

#include <cmath>

/// Attention of one token over split_keys keys, and the join of splits, with the order of sums of the CPU
/// engine (engine/backend/cpu/attention_impl.h), bit for bit:
///   score   8 chains, chain p takes the dimensions d with d / 8 % 8 == p in rising order; a tree by 4, 2, 1
///   weight  e[l] + e[l + 32], then a tree by 16, 8, 4, 2, 1
///   value   8 chains a dimension, chain c takes the keys with key % 8 == c in rising order; a tree by 4, 2,
///   1
namespace quantscope::kernels {

/// Threads of a block that calls what is below: 8 a key.
constexpr int attend_threads = 512;

/// Where a dimension of a query stands in shared memory: eight threads of a key want eight neighbours each,
/// in two vectors of 16 bytes; those of all eight are side by side, so that they are read at once.
template<int head_dim>
__host__ __device__ constexpr int query_place(int dimension) {
    return head_dim % 64 != 0
               ? dimension
               : (dimension & ~63) | (dimension & 4) << 3 | (dimension >> 1 & 28) | (dimension & 3);
}

/// Shared memory of a block, for the `group` query heads that share a kv head.
struct SplitShared {
    float* query;  ///< [group][head_dim], at query_place(), 16-byte aligned; the caller's to fill
    float* scores; ///< [group][split_keys], then their exponentials
    float* sums;   ///< [2][8][head_dim]

    /// @param base  16-byte aligned, bytes(head_dim, group) of it
    __host__ __device__ SplitShared(float* base, int head_dim, int group)
        : query(base), scores(query + group * head_dim), sums(scores + group * split_keys) {}

    static constexpr std::size_t bytes(int head_dim, int group) {
        return (static_cast<std::size_t>(group) * (head_dim + split_keys) + std::size_t{16} * head_dim) *
               sizeof(float);
    }
};

/// Keys and values of one split and kv head in registers. head_dim: a multiple of 32, at most max_head_dim.
/// All attend_threads threads call each function.
template<int head_dim>
class SplitTile {
  public:
    static_assert(head_dim % 32 == 0 && head_dim <= max_head_dim);

    /// Asks for keys [0, count) of keys and values [count][head_dim] in global memory (16-byte aligned).
    /// Others are zeros: registers that are only sometimes written would count as in use ever before.
    __device__ void load(const __half* keys, const __half* values, int count) {
        load_by([](const auto* at) { return __ldcg(at); }, keys, values, count);
    }
    /// From shared memory.
    __device__ void load_shared(const __half* keys, const __half* values, int count) {
        load_by([](const auto* at) { return *at; }, keys, values, count);
    }

    /// Replaces key number `at` by one in shared (or global) memory, [head_dim] each: a token's own, which
    /// load() was not asked for.
    __device__ void put(int at, const __half* new_key, const __half* new_value) {
#pragma unroll
        for (int v = 0; v < key_vectors; ++v)
            if (key() == at && has_vector(v))
                keys_[v] = *reinterpret_cast<const uint4*>(new_key + dim_of(v));
#pragma unroll
        for (int pass = 0; pass < value_passes; ++pass)
#pragma unroll
            for (int m = 0; m < 8; ++m)
                if (chain() + 8 * m == at && has_pair(pass))
                    values_[pass][m] = *reinterpret_cast<const unsigned*>(new_value + pair_of(pass));
    }

    /// Writes the part (split_part_size) of each query head of the group, part_stride floats apart, in global
    /// or shared memory. Before: a barrier after m.query was written. After: m.query may be written and
    /// another call may follow at once; what else uses m's memory needs a barrier first.
    /// @param count  keys in the tile, 1 .. split_keys
    template<class Barrier = BlockBarrier>
    __device__ void attend(const SplitShared& m, int group, int count, float scale, float* part,
                           std::size_t part_stride, Barrier barrier = {}) const {
#pragma unroll 1
        for (int g = 0; g < group; ++g)
            score(m.query + g * head_dim, count, scale, m.scores + g * split_keys);
        barrier();
#pragma unroll 1
        for (int g = static_cast<int>(threadIdx.x) / 32; g < group; g += attend_threads / 32)
            exponentiate(m.scores + g * split_keys, count, part + g * part_stride);
        barrier();
#pragma unroll 1
        for (int g = 0; g < group; ++g) {
            float* const sums = m.sums + g % 2 * 8 * head_dim;
            const float* const e = m.scores + g * split_keys;
            add_values([&](int i) { return e[chain() + 8 * i]; }, count, sums);
            barrier();
#pragma unroll 1
            for (int d = threadIdx.x; d < head_dim; d += attend_threads) {
                part[g * part_stride + d] = over_chains(sums + d, head_dim);
            }
        }
    }

    // One query head by all threads, in steps between which the caller sets barriers: shorter than attend().

    /// The scores of one query head. Keys that are not there are zeros.
    /// @param query  shared memory, scores [split_keys] too
    __device__ void score(const float* query, int count, float scale, float* scores) const {
        float sum = 0.0F;
#pragma unroll
        for (int v = 0; v < key_vectors; ++v) {
            if (!has_vector(v))
                continue;
            const float4 lower = *reinterpret_cast<const float4*>(query + query_place<head_dim>(dim_of(v)));
            const float4 upper =
                *reinterpret_cast<const float4*>(query + query_place<head_dim>(dim_of(v) + 4));
            const float q[8] = {lower.x, lower.y, lower.z, lower.w, upper.x, upper.y, upper.z, upper.w};
            const unsigned pairs[4] = {keys_[v].x, keys_[v].y, keys_[v].z, keys_[v].w};
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float2 k = floats(pairs[i]);
                sum = __fmaf_rn(q[2 * i], k.x, sum);
                sum = __fmaf_rn(q[2 * i + 1], k.y, sum);
            }
        }
#pragma unroll
        for (int offset = 4; offset > 0; offset /= 2)
            sum = __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, offset));
        if (threadIdx.x % 8 == 0)
            scores[key()] = key() < count ? __fmul_rn(sum, scale) : -INFINITY;
    }

    /// After all scores: every warp makes the exponentials of its chain for itself. The chains' sums of
    /// values and, in chain_weights[8], of exponentials. Returns the largest score.
    __device__ float weigh(const float* scores, int count, float* sums, float* chain_weights) const {
        const int lane = static_cast<int>(threadIdx.x) % 32;
        const float peak = largest_of_warp(fmaxf(scores[lane], scores[lane + 32]));
        const int key = chain() + lane % 8 * 8;
        const float own = key < count ? exponential(__fsub_rn(scores[key], peak)) : 0.0F;
        float e[8];
#pragma unroll
        for (int m = 0; m < 8; ++m)
            e[m] = __shfl_sync(0xFFFFFFFFU, own, m);
        add_values([&](int m) { return e[m]; }, count, sums);
#pragma unroll
        for (int offset = 4; offset > 0; offset /= 2)
#pragma unroll
            for (int m = 0; m < offset; ++m)
                e[m] = __fadd_rn(e[m], e[m + offset]);
        if (threadIdx.x % 64 == 0)
            chain_weights[chain()] = e[0];
        return peak;
    }

    /// After all warps' sums: of chain c the element at[c * stride].
    static __device__ float over_chains(const float* at, int stride) {
        float a[8];
#pragma unroll
        for (int c = 0; c < 8; ++c)
            a[c] = at[c * stride];
#pragma unroll
        for (int offset = 4; offset > 0; offset /= 2)
#pragma unroll
            for (int c = 0; c < offset; ++c)
                a[c] = __fadd_rn(a[c], a[c + offset]);
        return a[0];
    }

    /// By integers of the same order.
    static __device__ float largest_of_warp(float value) {
#if __CUDA_ARCH__ >= 800
        const auto ordered = [](int bits) { return bits ^ (bits >> 31 & 0x7FFFFFFF); };
        return __int_as_float(ordered(__reduce_max_sync(0xFFFFFFFFU, ordered(__float_as_int(value)))));
#else
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, offset));
        return value;
#endif
    }

  private:
    static constexpr int key_vectors = (head_dim / 8 + 7) / 8;    ///< of 8 dimensions, a thread
    static constexpr int value_passes = (head_dim / 2 + 63) / 64; ///< of 64 pairs of dimensions

    // Scores: 8 threads a key, each of them a chain.
    static __device__ int key() {
        return static_cast<int>(threadIdx.x) / 8;
    }
    static __device__ int dim_of(int v) {
        return (v * 8 + static_cast<int>(threadIdx.x) % 8) * 8;
    }
    static __device__ bool has_vector(int v) {
        return head_dim % 64 == 0 || dim_of(v) < head_dim;
    }
    // Values: 64 threads a chain of keys, each of them a pair of dimensions.
    static __device__ int chain() {
        return static_cast<int>(threadIdx.x) / 64;
    }
    static __device__ int pair_of(int pass) {
        return (pass * 64 + static_cast<int>(threadIdx.x) % 64) * 2;
    }
    static __device__ bool has_pair(int pass) {
        return head_dim % 128 == 0 || pair_of(pass) < head_dim;
    }

    static __device__ float2 floats(unsigned pair) {
        return __half22float2(*reinterpret_cast<const __half2*>(&pair));
    }

    template<class Read>
    __device__ void load_by(const Read& read, const __half* keys, const __half* values, int count) {
#pragma unroll
        for (int v = 0; v < key_vectors; ++v)
            keys_[v] = key() < count && has_vector(v)
                           ? read(reinterpret_cast<const uint4*>(keys + key() * head_dim + dim_of(v)))
                           : uint4{0, 0, 0, 0};
#pragma unroll
        for (int pass = 0; pass < value_passes; ++pass)
#pragma unroll
            for (int m = 0; m < 8; ++m)
                values_[pass][m] = chain() + 8 * m < count && has_pair(pass)
                                       ? read(reinterpret_cast<const unsigned*>(
                                             values + (chain() + 8 * m) * head_dim + pair_of(pass)))
                                       : 0;
    }

    /// One warp.
    static __device__ void exponentiate(float* scores, int count, float* part) {
        const int lane = static_cast<int>(threadIdx.x) % 32;
        float peak = fmaxf(scores[lane], scores[lane + 32]);
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, offset));
        const float first = lane < count ? exponential(__fsub_rn(scores[lane], peak)) : 0.0F;
        const float second = lane + 32 < count ? exponential(__fsub_rn(scores[lane + 32], peak)) : 0.0F;
        float weight = __fadd_rn(first, second);
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            weight = __fadd_rn(weight, __shfl_xor_sync(0xFFFFFFFFU, weight, offset));
        scores[lane] = first;
        scores[lane + 32] = second;
        if (lane == 0) {
            part[head_dim] = peak;
            part[head_dim + 1] = weight;
        }
    }

    /// @param exponential_of  exponential_of(m): of the chain's key number m
    template<class Exponential>
    __device__ void add_values(const Exponential& exponential_of, int count, float* sums) const {
#pragma unroll
        for (int pass = 0; pass < value_passes; ++pass) {
            float2 sum{0.0F, 0.0F};
#pragma unroll
            for (int m = 0; m < 8; ++m) {
                if (chain() + 8 * m >= count)
                    break;
                const float weight = exponential_of(m);
                const float2 value = floats(values_[pass][m]);
                sum.x = __fmaf_rn(weight, value.x, sum.x);
                sum.y = __fmaf_rn(weight, value.y, sum.y);
            }
            if (has_pair(pass))
                *reinterpret_cast<float2*>(sums + chain() * head_dim + pair_of(pass)) = sum;
        }
    }

    uint4 keys_[key_vectors];
    unsigned values_[value_passes][8];
};

/// One dimension of a query head: its splits' parts, in order. `d` < head_dim. 0 for no splits.
/// @param parts  [count][split_part_size(head_dim)], global memory
__device__ inline float join_splits(const float* parts, int count, int head_dim, int d) {
    if (count == 0)
        return 0.0F;
    const int size = split_part_size(head_dim);
    float peak = -INFINITY;
#pragma unroll 8
    for (int i = 0; i < count; ++i)
        peak = fmaxf(peak, __ldcg(parts + i * size + head_dim));
    float sum = 0.0F;
    float weight = 0.0F;
#pragma unroll 8
    for (int i = 0; i < count; ++i) {
        const float* const part = parts + i * size;
        const float rescale = exponential(__fsub_rn(__ldcg(part + head_dim), peak));
        sum = __fmaf_rn(__ldcg(part + d), rescale, sum);
        weight = __fmaf_rn(__ldcg(part + head_dim + 1), rescale, weight);
    }
    return __fdiv_rn(sum, weight);
}

} // namespace quantscope::kernels
