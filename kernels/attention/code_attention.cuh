// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/split_attention.cuh"
#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"

#include <cmath>

/// Attention of one token over a cache of codes, in the order of sums of split_attention.cuh: a score is
/// (query . codes) * key scale * scale, a value's weight e * value scale. Blocks are small, so that many
/// share a multiprocessor, and threads take several keys each: bytes are half of those of halves, and
/// instructions must be fewer too before that shows.
namespace quantscope::kernels {

constexpr int code_threads = 128;
constexpr int code_warps = code_threads / 32;

/// Shared memory of a block.
template<int head_dim>
struct CodeShared {
    float scores[split_keys];
    float weights[code_warps][split_keys / code_warps]; ///< a warp's own: keys w, w + 4, w + 8, ...
    float sums[code_warps][head_dim];                   ///< of its two chains of keys
};

/// Four codes as floats; made anew for each query head, since registers hold four times as many codes.
__device__ inline void floats_of(unsigned codes, float (&to)[4]) {
    asm volatile("" : "+r"(codes));
    const unsigned turned = codes ^ 0x80808080U; // code + 128
#pragma unroll
    for (int i = 0; i < 4; ++i) // 2^23 + 128 + code has the byte as its last
        to[i] = __fsub_rn(__uint_as_float(__byte_perm(turned, 0x4B000000U, 0x7440 + i)), 8388736.0F);
}

/// Keys and values of one split and kv head in registers, for a block of code_threads.
template<int head_dim>
class CodeTile {
  public:
    static_assert(head_dim % 32 == 0 && head_dim <= max_head_dim);

    /// Asks for them. @param token  the first one, among all heads' tokens @param count  1 .. split_keys
    __device__ CodeTile(const AttentionRows& r, std::size_t token, int count) : count_(count) {
        if (count == split_keys)
            load<true>(r, token);
        else
            load<false>(r, token);
    }

    /// Writes the part (split_part_size) of one query head; all threads call. Another call may follow at
    /// once; what else uses m's memory, or reads a part in shared memory, needs a barrier first.
    /// @param query  [head_dim], 16-byte aligned
    __device__ void attend(CodeShared<head_dim>& m, const float* query, float scale, float* part) const {
        score(query, scale, m.scores);
        __syncthreads();
        exponentiate(m.scores, m.weights[warp()], part);
        add_values(m.weights[warp()], m.sums[warp()]);
        __syncthreads();
#pragma unroll
        for (int first = 0; first < head_dim; first += code_threads)
            if (const int d = first + static_cast<int>(threadIdx.x); d < head_dim)
                part[d] =
                    __fadd_rn(__fadd_rn(m.sums[0][d], m.sums[2][d]), __fadd_rn(m.sums[1][d], m.sums[3][d]));
    }

  private:
    static constexpr int thread_keys = split_keys / (code_threads / 8); ///< a thread scores, as one of 8
    static constexpr int warp_keys = split_keys / code_warps;           ///< whose values a warp adds
    static constexpr int key_vectors = (head_dim / 8 + 7) / 8;          ///< of 8 dimensions, a thread and key
    static constexpr int value_passes = (head_dim / 4 + 31) / 32;       ///< of 4 dimensions a thread
    static_assert(thread_keys == 4 && warp_keys == 16);

    static __device__ int lane() {
        return static_cast<int>(threadIdx.x % 32);
    }
    static __device__ int warp() {
        return static_cast<int>(threadIdx.x / 32);
    }
    // Scores: 8 threads a key, each of them a chain.
    static __device__ int key(int j) {
        return static_cast<int>(threadIdx.x / 8) + j * (code_threads / 8);
    }
    static __device__ int dim_of(int v) {
        return v * 64 + static_cast<int>(threadIdx.x % 8 * 8);
    }
    static __device__ bool has_vector(int v) {
        return head_dim % 64 == 0 || dim_of(v) < head_dim;
    }
    /// The one of its keys whose score this thread has in the end.
    static __device__ int scored_key() {
        return key(static_cast<int>(threadIdx.x % 8 / 2));
    }
    // Values: a warp two chains of keys, a lane four dimensions.
    static __device__ int four_of(int pass) {
        return pass * 128 + lane() * 4;
    }
    static __device__ bool has_four(int pass) {
        return head_dim % 128 == 0 || four_of(pass) < head_dim;
    }

    /// `full`: all keys are there, and no load is conditional.
    template<bool full>
    __device__ void load(const AttentionRows& r, std::size_t token) {
        const std::int8_t* const keys = r.key_codes + (token + key(0)) * head_dim + dim_of(0);
#pragma unroll
        for (int j = 0; j < thread_keys; ++j)
#pragma unroll
            for (int v = 0; v < key_vectors; ++v)
                keys_[j][v] = (full || key(j) < count_) && has_vector(v)
                                  ? __ldcg(reinterpret_cast<const uint2*>(
                                        keys + j * (code_threads / 8) * head_dim + v * 64))
                                  : uint2{};
        const std::int8_t* const values = r.value_codes + (token + warp()) * head_dim + four_of(0);
#pragma unroll
        for (int n = 0; n < warp_keys; ++n)
#pragma unroll
            for (int pass = 0; pass < value_passes; ++pass)
                values_[n][pass] = (full || warp() + code_warps * n < count_) && has_four(pass)
                                       ? __ldcg(reinterpret_cast<const unsigned*>(
                                             values + n * code_warps * head_dim + pass * 128))
                                       : 0U;
        const auto scale_of_key = [&](const float* scales, int key) {
            return full || key < count_ ? __ldcg(scales + token + key) : 0.0F;
        };
        key_scale_ = scale_of_key(r.key_scales, scored_key());
        value_scales_[0] = scale_of_key(r.value_scales, lane());
        value_scales_[1] = scale_of_key(r.value_scales, lane() + 32);
    }

    __device__ void score(const float* query, float scale, float* scores) const {
        float sums[thread_keys] = {};
#pragma unroll
        for (int v = 0; v < key_vectors; ++v) {
            if (!has_vector(v))
                continue;
            const float4 lower = *reinterpret_cast<const float4*>(query + dim_of(v));
            const float4 upper = *reinterpret_cast<const float4*>(query + dim_of(v) + 4);
            const float q[8] = {lower.x, lower.y, lower.z, lower.w, upper.x, upper.y, upper.z, upper.w};
#pragma unroll
            for (int j = 0; j < thread_keys; ++j) {
                add_products(q, keys_[j][v].x, sums[j]);
                add_products(q + 4, keys_[j][v].y, sums[j]);
            }
        }
        const float sum = __fmul_rn(sum_of_chains(sums), key_scale_);
        if (threadIdx.x % 2 == 0)
            scores[scored_key()] = scored_key() < count_ ? __fmul_rn(sum, scale) : -INFINITY;
    }

    static __device__ void add_products(const float* q, unsigned codes, float& sum) {
        float k[4];
        floats_of(codes, k);
#pragma unroll
        for (int i = 0; i < 4; ++i)
            sum = __fmaf_rn(q[i], k[i], sum);
    }

    /// Over the 8 chains of each of 4 keys, a tree by 4, 2, 1. Threads give away the keys that they do not go
    /// on with: thread p of 8 ends with key p / 2.
    static __device__ float sum_of_chains(const float (&sums)[thread_keys]) {
        const auto exchange = [](bool upper, float low, float high, int distance) {
            const float received = __shfl_xor_sync(0xFFFFFFFFU, upper ? low : high, distance);
            return __fadd_rn(upper ? high : low, received);
        };
        const bool upper_two = (threadIdx.x & 4U) != 0;
        const float even = exchange(upper_two, sums[0], sums[2], 4);
        const float odd = exchange(upper_two, sums[1], sums[3], 4);
        const float sum = exchange((threadIdx.x & 2U) != 0, even, odd, 2);
        return __fadd_rn(sum, __shfl_xor_sync(0xFFFFFFFFU, sum, 1));
    }

    /// Each warp for itself: scores to the weights of its keys; one of them writes peak and weight of the
    /// part.
    __device__ void exponentiate(const float* scores, float* weights, float* part) const {
        const float first_score = scores[lane()];
        const float second_score = scores[lane() + 32];
        float peak = fmaxf(first_score, second_score);
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, offset));
        const float first = lane() < count_ ? exponential(__fsub_rn(first_score, peak)) : 0.0F;
        const float second = lane() + 32 < count_ ? exponential(__fsub_rn(second_score, peak)) : 0.0F;
        if (lane() % code_warps == warp()) {
            weights[lane() / code_warps] = __fmul_rn(first, value_scales_[0]);
            weights[lane() / code_warps + 32 / code_warps] = __fmul_rn(second, value_scales_[1]);
        }
        __syncwarp();
        if (warp() > 0)
            return;
        float weight = __fadd_rn(first, second);
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            weight = __fadd_rn(weight, __shfl_xor_sync(0xFFFFFFFFU, weight, offset));
        if (lane() == 0) {
            part[head_dim] = peak;
            part[head_dim + 1] = weight;
        }
    }

    /// Chains w and w + 4 of warp w: its keys by turns. Keys that are not there weigh 0.
    __device__ void add_values(const float* weights, float* sums) const {
#pragma unroll
        for (int pass = 0; pass < value_passes; ++pass) {
            float chains[2][4] = {};
#pragma unroll
            for (int n = 0; n < warp_keys; ++n) {
                float value[4];
                floats_of(values_[n][pass], value);
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    chains[n % 2][i] = __fmaf_rn(weights[n], value[i], chains[n % 2][i]);
            }
            if (has_four(pass))
                *reinterpret_cast<float4*>(sums + four_of(pass)) =
                    float4{__fadd_rn(chains[0][0], chains[1][0]), __fadd_rn(chains[0][1], chains[1][1]),
                           __fadd_rn(chains[0][2], chains[1][2]), __fadd_rn(chains[0][3], chains[1][3])};
        }
    }

    uint2 keys_[thread_keys][key_vectors];
    unsigned values_[warp_keys][value_passes];
    float key_scale_;       ///< of scored_key()
    float value_scales_[2]; ///< of keys lane and lane + 32
    int count_;
};

/// What a block works on: a kv head of a row, and its `group` query heads.
struct CodePlace {
    int keys;             ///< 0: the row pads the batch
    std::size_t token;    ///< the first one, among all heads' tokens
    int head;             ///< the first of the group, among all rows' heads
    const float* queries; ///< [group][head_dim]

    __device__ CodePlace(const AttentionRows& r, int group, int row, int kv_head) {
        const AttentionShape& s = r.shape;
        const int slot = r.slots[row];
        keys = slot < 0 ? 0 : r.positions[row] + 1;
        token = static_cast<std::size_t>(max(slot, 0) * s.kv_heads + kv_head) * s.context;
        head = row * s.heads + kv_head * group;
        queries = r.qkv + static_cast<std::size_t>(row) * s.qkv_size() + kv_head * group * s.head_dim;
    }
};

/// Grid (splits, kv heads, rows).
template<int head_dim>
__global__ void __launch_bounds__(code_threads)
    attend_code_splits_kernel(const AttentionRows r, int group, float* partials, float scale) {
    __shared__ __align__(16) CodeShared<head_dim> shared;
    let_next_kernel_start();
    wait_for_previous_kernel();
    const CodePlace at(r, group, blockIdx.z, blockIdx.y);
    const int first = static_cast<int>(blockIdx.x) * split_keys;
    if (first >= at.keys)
        return;
    const CodeTile<head_dim> tile(r, at.token + first, min(split_keys, at.keys - first));
#pragma unroll 1
    for (int g = 0; g < group; ++g)
        tile.attend(shared, at.queries + g * head_dim, scale,
                    partials + static_cast<std::size_t>((at.head + g) * gridDim.x + blockIdx.x) *
                                   split_part_size(head_dim));
}

/// `all` splits so far (none where `first`), and one more `part`; in shared memory, all threads call.
__device__ inline void merge_part(float* all, const float* part, int head_dim, bool first) {
    __syncthreads();
    const float before = first ? -INFINITY : all[head_dim];
    const float peak = fmaxf(before, part[head_dim]);
    const float old_rescale = first ? 0.0F : exponential(before - peak);
    const float rescale = exponential(part[head_dim] - peak);
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < head_dim + 2; i += code_threads)
        all[i] =
            i == head_dim ? peak : __fmaf_rn(part[i], rescale, first ? 0.0F : __fmul_rn(all[i], old_rescale));
    __syncthreads();
}

/// Grid (rows, kv heads): a block takes all splits of a row in turn and rescales what it has summed to the
/// largest score so far. Shared: a part a query head, and one more.
template<int head_dim>
__global__ void __launch_bounds__(code_threads)
    attend_code_whole_kernel(const AttentionRows r, int group, float* out, float scale) {
    extern __shared__ __align__(16) float all[];
    __shared__ __align__(16) CodeShared<head_dim> shared;
    constexpr int size = split_part_size(head_dim);
    let_next_kernel_start();
    wait_for_previous_kernel();
    const CodePlace at(r, group, blockIdx.x, blockIdx.y);
    float* const part = all + group * size;
    for (int first = 0; first < at.keys; first += split_keys) {
        const CodeTile<head_dim> tile(r, at.token + first, min(split_keys, at.keys - first));
#pragma unroll 1
        for (int g = 0; g < group; ++g) {
            tile.attend(shared, at.queries + g * head_dim, scale, part);
            merge_part(all + g * size, part, head_dim, first == 0);
        }
    }
    for (int i = static_cast<int>(threadIdx.x); i < group * head_dim; i += code_threads) {
        const float* const head = all + i / head_dim * size;
        out[static_cast<std::size_t>(at.head) * head_dim + i] =
            at.keys > 0 ? __fdiv_rn(head[i % head_dim], head[head_dim + 1]) : 0.0F;
    }
}

/// attend() over codes; the parts' join is left to the caller.
template<int head_dim>
Status launch_code_attention(const AttentionRows& rows, float* out, float* partials, int splits,
                             const Launch& how) {
    const AttentionShape& s = rows.shape;
    const int group = s.heads / s.kv_heads;
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    if (partials != nullptr)
        return launch("attend_code_splits", attend_code_splits_kernel<head_dim>,
                      dim3(splits, s.kv_heads, rows.rows), dim3(code_threads), 0, how, rows, group, partials,
                      scale);
    const std::size_t bytes = (group + 1) * split_part_size(head_dim) * sizeof(float);
    return launch("attend_code_whole", attend_code_whole_kernel<head_dim>, dim3(rows.rows, s.kv_heads),
                  dim3(code_threads), bytes, how, rows, group, out, scale);
}

} // namespace quantscope::kernels
