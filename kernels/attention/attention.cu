// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include "kernels/attention/code_attention.cuh"
#include "kernels/attention/prefill.cuh"
#include "kernels/attention/split_attention.cuh"
#include "kernels/base/device.cuh"

#include <cmath>

namespace quantscope::kernels {
namespace {

/// What a block works on.
struct Place {
    int row;
    int kv_head;
    int group; ///< query heads
    int keys;  ///< 0: the row pads the batch
    const __half* cached_keys;
    const __half* cached_values;

    __device__ Place(const AttentionRows& r, int row, int kv_head)
        : row(row), kv_head(kv_head), group(r.shape.heads / r.shape.kv_heads) {
        const int slot = r.slots[row];
        keys = slot < 0 ? 0 : r.positions[row] + 1;
        const std::size_t at = (static_cast<std::size_t>(max(slot, 0)) * r.shape.kv_heads + kv_head) *
                               r.shape.context * r.shape.head_dim;
        cached_keys = r.keys + at;
        cached_values = r.values + at;
    }
};

template<int head_dim>
__device__ void load_query(const AttentionRows& r, const Place& at, float* query) {
    const float* const from =
        r.qkv + static_cast<std::size_t>(at.row) * r.shape.qkv_size() + at.kv_head * at.group * head_dim;
    for (int i = threadIdx.x; i < at.group * head_dim; i += attend_threads)
        query[query_place<head_dim>(i)] = from[i];
    __syncthreads();
}

/// Grid (splits, kv heads, rows).
template<int head_dim>
__global__ void __launch_bounds__(attend_threads)
    attend_splits_kernel(const AttentionRows r, float* partials, float scale) {
    extern __shared__ __align__(16) float shared[];
    let_next_kernel_start();
    wait_for_previous_kernel();
    const Place at(r, blockIdx.z, blockIdx.y);
    const int first = static_cast<int>(blockIdx.x) * split_keys;
    if (first >= at.keys)
        return;
    const int count = min(split_keys, at.keys - first);
    SplitTile<head_dim> tile;
    tile.load(at.cached_keys + static_cast<std::size_t>(first) * head_dim,
              at.cached_values + static_cast<std::size_t>(first) * head_dim, count);
    const SplitShared m(shared, head_dim, at.group);
    load_query<head_dim>(r, at, m.query);
    const std::size_t stride = static_cast<std::size_t>(gridDim.x) * split_part_size(head_dim);
    const std::size_t head = static_cast<std::size_t>(at.row) * r.shape.heads + at.kv_head * at.group;
    tile.attend(m, at.group, count, scale, partials + head * stride + blockIdx.x * split_part_size(head_dim),
                stride);
}

/// Grid (heads, rows), a thread a dimension.
__global__ void join_splits_kernel(const AttentionRows r, const float* partials, int splits, float* out) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const int head_dim = r.shape.head_dim;
    const std::size_t at = static_cast<std::size_t>(blockIdx.y) * r.shape.heads + blockIdx.x;
    const int count = r.slots[blockIdx.y] < 0 ? 0 : splits_of(r.positions[blockIdx.y] + 1);
    out[at * head_dim + threadIdx.x] =
        join_splits(partials + at * splits * split_part_size(head_dim), count, head_dim, threadIdx.x);
}

/// Grid (rows, kv heads): a block takes all splits of a row in turn and rescales what it has summed to the
/// largest score so far. Shared: SplitShared, then two parts a query head: all so far, the split's.
template<int head_dim>
__global__ void __launch_bounds__(attend_threads)
    attend_whole_kernel(const AttentionRows r, float* out, float scale) {
    extern __shared__ __align__(16) float shared[];
    constexpr int size = split_part_size(head_dim);
    let_next_kernel_start();
    wait_for_previous_kernel();
    const Place at(r, blockIdx.x, blockIdx.y);
    const SplitShared m(shared, head_dim, at.group);
    float* const all = shared + SplitShared::bytes(head_dim, at.group) / sizeof(float);
    float* const part = all + at.group * size;
    for (int i = threadIdx.x; i < at.group * size; i += attend_threads)
        all[i] = i % size == head_dim ? -INFINITY : 0.0F;
    load_query<head_dim>(r, at, m.query);
    for (int first = 0; first < at.keys; first += split_keys) {
        const int count = min(split_keys, at.keys - first);
        SplitTile<head_dim> tile;
        tile.load(at.cached_keys + static_cast<std::size_t>(first) * head_dim,
                  at.cached_values + static_cast<std::size_t>(first) * head_dim, count);
        tile.attend(m, at.group, count, scale, part, size);
        __syncthreads();
        for (int g = static_cast<int>(threadIdx.x) / 32; g < at.group; g += attend_threads / 32) {
            float* const to = all + g * size;
            const float* const from = part + g * size;
            const float before = to[head_dim];
            const float peak = fmaxf(before, from[head_dim]);
            const float old_rescale = first > 0 ? exponential(before - peak) : 0.0F;
            const float rescale = exponential(from[head_dim] - peak);
            __syncwarp();
            for (int i = static_cast<int>(threadIdx.x) % 32; i < size; i += 32)
                to[i] = i == head_dim ? peak : __fmaf_rn(from[i], rescale, __fmul_rn(to[i], old_rescale));
        }
        __syncthreads();
    }
    for (int i = threadIdx.x; i < at.group * head_dim; i += attend_threads) {
        const float* const head = all + i / head_dim * size;
        out[(static_cast<std::size_t>(at.row) * r.shape.heads + at.kv_head * at.group) * head_dim + i] =
            at.keys > 0 ? __fdiv_rn(head[i % head_dim], head[head_dim + 1]) : 0.0F;
    }
}

Status launch_join(const AttentionRows& rows, const float* partials, int splits, float* out,
                   const Launch& how) {
    return launch("join_splits", join_splits_kernel, dim3(rows.shape.heads, rows.rows),
                  dim3(rows.shape.head_dim), 0, Launch{how.stream, true}, rows, partials, splits, out);
}

template<int head_dim>
Status launch_attention(const AttentionRows& rows, float* out, float* partials, int splits,
                        const Launch& how) {
    const AttentionShape& s = rows.shape;
    if (rows.key_codes != nullptr) {
        QS_TRY(launch_code_attention<head_dim>(rows, out, partials, splits, how));
        return partials == nullptr ? Status{} : launch_join(rows, partials, splits, out, how);
    }
    const int group = s.heads / s.kv_heads;
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    const std::size_t bytes = SplitShared::bytes(head_dim, group);
    if (partials == nullptr)
        return launch("attend_whole", attend_whole_kernel<head_dim>, dim3(rows.rows, s.kv_heads),
                      dim3(attend_threads), bytes + 2 * group * split_part_size(head_dim) * sizeof(float),
                      how, rows, out, scale);
    QS_TRY(launch("attend_splits", attend_splits_kernel<head_dim>, dim3(splits, s.kv_heads, rows.rows),
                  dim3(attend_threads), bytes, how, rows, partials, scale));
    return launch_join(rows, partials, splits, out, how);
}

} // namespace

Status attend(const AttentionRows& rows, float* out, float* partials, int splits, const Launch& how) {
    const AttentionShape& s = rows.shape;
    if (s.heads % s.kv_heads != 0)
        return {Status::Kind::unsupported, "attention takes whole groups of query heads"};
    if (partials == nullptr && prefill_takes(s.head_dim))
        return attend_prefill(rows, out, how);
    switch (s.head_dim) {
    case 32: return launch_attention<32>(rows, out, partials, splits, how);
    case 64: return launch_attention<64>(rows, out, partials, splits, how);
    case 96: return launch_attention<96>(rows, out, partials, splits, how);
    case 128: return launch_attention<128>(rows, out, partials, splits, how);
    case 160: return launch_attention<160>(rows, out, partials, splits, how);
    case 192: return launch_attention<192>(rows, out, partials, splits, how);
    case 224: return launch_attention<224>(rows, out, partials, splits, how);
    case 256: return launch_attention<256>(rows, out, partials, splits, how);
    default:
        return {Status::Kind::unsupported, "attention takes heads of 32, 64, ... " +
                                               std::to_string(max_head_dim) + " dimensions, not " +
                                               std::to_string(s.head_dim)};
    }
}

} // namespace quantscope::kernels
