// SPDX-License-Identifier: Apache-2.0
#include "kernels/tokens/tokens.h"

#include "kernels/base/device.cuh"
#include "kernels/tokens/embedding.cuh"

#include <cfloat>
#include <climits>
#include <cmath>

namespace quantscope::kernels {
namespace {

__global__ void embed_tokens_kernel(const __half* tiles, int col_tiles, int hidden,
                                    const std::int32_t* tokens, float* out, RowCopy copy) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    if (static_cast<int>(threadIdx.x) < copy.lists) {
        const std::size_t at = static_cast<std::size_t>(threadIdx.x) * copy.capacity + blockIdx.x;
        copy.to[at] = copy.from[at];
    }
    const int token = tokens[blockIdx.x];
    for (int k = threadIdx.x; k < hidden; k += blockDim.x)
        out[static_cast<std::size_t>(blockIdx.x) * hidden + k] =
            __half2float(tiles[packed_half_at(col_tiles, token, k)]);
}

struct Candidate {
    float value;
    int id;
};

__device__ Candidate better(Candidate a, Candidate b) {
    return b.value > a.value || (b.value == a.value && b.id < a.id) ? b : a;
}

__global__ void largest_logits_kernel(const float* logits, int count, std::int32_t* ids) {
    __shared__ Candidate warp_best[32];
    let_next_kernel_start();
    wait_for_previous_kernel();
    const float* const row = logits + static_cast<std::size_t>(blockIdx.x) * count;
    Candidate best{-INFINITY, INT_MAX};
    bool finite = true;
#pragma unroll 8
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        finite = finite && fabsf(row[i]) <= FLT_MAX;
        best = better(best, {row[i], i});
    }
    for (int offset = 16; offset > 0; offset /= 2)
        best = better(best, {__shfl_xor_sync(0xFFFFFFFFU, best.value, offset),
                             __shfl_xor_sync(0xFFFFFFFFU, best.id, offset)});
    if (threadIdx.x % 32 == 0)
        warp_best[threadIdx.x / 32] = best;
    const bool all_finite = __syncthreads_and(finite ? 1 : 0) != 0;
    if (threadIdx.x == 0) {
        for (int w = 1; w < static_cast<int>(blockDim.x) / 32; ++w)
            best = better(best, warp_best[w]);
        ids[blockIdx.x] = all_finite ? best.id : not_finite_id;
    }
}

} // namespace

Status embed_tokens(const PackedWeights& table, const std::int32_t* tokens, int rows, float* out,
                    const Launch& how, const RowCopy& copy) {
    if (table.format != WeightFormat::f16 || table.order != RowOrder::plain)
        return {Status::Kind::unsupported, "embed_tokens takes a table of halves in plain order"};
    return launch("embed_tokens", embed_tokens_kernel, dim3(rows), dim3(256), 0, how,
                  reinterpret_cast<const __half*>(table.tiles.data()), table.col_tiles(), table.cols, tokens,
                  out, copy);
}

Status largest_logits(const float* logits, int rows, int count, std::int32_t* ids, const Launch& how) {
    return launch("largest_logits", largest_logits_kernel, dim3(rows), dim3(1024), 0, how, logits, count,
                  ids);
}

} // namespace quantscope::kernels
