// SPDX-License-Identifier: Apache-2.0
#include "kernels/rows/many_rows.h"

#include "kernels/rows/row_codes.cuh"

#include <algorithm>

namespace quantscope::kernels {
namespace {

constexpr int chunk_cols = 256; ///< a warp's at once: two vectors of four a lane, 128 columns apart
constexpr int norm_threads =
    256; ///< so that a thread's two vectors are those of two chains of the norm's sum
constexpr int max_warps = 12;

/// The block's row in registers: chunk i of a warp begins at column 256 * (warp + i * warps); of it a lane
/// holds columns 4 * lane .. + 3 and 128 + 4 * lane .. + 3. What lies behind the row is 0.
template<int chunks>
struct ManyRow {
    float4 v[chunks][2];

    static __device__ int column(int i, int half) {
        const int warps = static_cast<int>(blockDim.x) / 32;
        return (static_cast<int>(threadIdx.x) / 32 + i * warps) * chunk_cols + half * 128 +
               static_cast<int>(threadIdx.x) % 32 * 4;
    }

    __device__ void load(const float* from, int cols) {
#pragma unroll
        for (int i = 0; i < chunks; ++i)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                v[i][half] = column(i, half) < cols ? *reinterpret_cast<const float4*>(from + column(i, half))
                                                    : float4{0.0F, 0.0F, 0.0F, 0.0F};
    }

    /// As inverse_rms(): a thread has two of the 512 chains, a warp two groups of 32.
    /// @param gamma  of (i, half): the vector that v[i][half] is multiplied by, if t.gamma is not null
    template<class Gamma>
    __device__ void normalize(const RowTransform& t, const Gamma& gamma, float* scratch) {
        const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float chain = 0.0F;
#pragma unroll
            for (int i = 0; i < chunks; ++i) {
                const float4& x = v[i][half];
                chain = __fmaf_rn(x.x, x.x, chain);
                chain = __fmaf_rn(x.y, x.y, chain);
                chain = __fmaf_rn(x.z, x.z, chain);
                chain = __fmaf_rn(x.w, x.w, chain);
            }
            chain = sum_of_group(chain);
            if (threadIdx.x % 32 == 0)
                scratch[2 * warp + half] = chain;
        }
        __syncthreads();
        const float inverse = inverse_rms_of(sum_of_groups(scratch), t.cols, t.eps);
#pragma unroll
        for (int i = 0; i < chunks; ++i)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                multiply(v[i][half], {inverse, inverse, inverse, inverse});
                if (t.gamma != nullptr && column(i, half) < t.cols)
                    multiply(v[i][half], gamma(i, half));
            }
    }

    /// H of each 256 columns / 16, its stages in hadamard_blocks()'s order.
    __device__ void hadamard() {
        const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int i = 0; i < chunks; ++i) {
            float x[8] = {v[i][0].x, v[i][0].y, v[i][0].z, v[i][0].w,
                          v[i][1].x, v[i][1].y, v[i][1].z, v[i][1].w};
            hadamard_stage(x, 1);
            hadamard_stage(x, 2);
#pragma unroll
            for (int distance = 1; distance < 32; distance *= 2)
#pragma unroll
                for (float& value : x) {
                    const float other = __shfl_xor_sync(0xFFFFFFFFU, value, distance);
                    value = __fmaf_rn(value, (lane & distance) == 0 ? 1.0F : -1.0F, other); // other +- value
                }
            hadamard_stage(x, 4);
            constexpr float norm = 0.0625F; // 1 / sqrt(256)
            v[i][0] = {x[0], x[1], x[2], x[3]};
            v[i][1] = {x[4], x[5], x[6], x[7]};
            multiply(v[i][0], {norm, norm, norm, norm});
            multiply(v[i][1], {norm, norm, norm, norm});
        }
    }

    __device__ float largest() const {
        float most = 0.0F;
#pragma unroll
        for (int i = 0; i < chunks; ++i)
#pragma unroll
            for (const float4& x : v[i])
                most = max_or_nan(
                    max_or_nan(max_or_nan(fabsf(x.x), fabsf(x.y)), max_or_nan(fabsf(x.z), fabsf(x.w))), most);
        return most;
    }

  private:
    static __device__ void multiply(float4& x, const float4& by) {
        x = {__fmul_rn(x.x, by.x), __fmul_rn(x.y, by.y), __fmul_rn(x.z, by.z), __fmul_rn(x.w, by.w)};
    }
};

/// Where the 4 bytes go that hold the columns from `column` on (4 codes or 2 halves).
__device__ std::uint32_t* word_at(const RowTransform& t, int column, bool halves) {
    const auto row = static_cast<int>(blockIdx.x);
    const int bytes = halves ? 2 : 1;
    const std::size_t at = t.layout == RowLayout::slabs
                               ? slab_offset(t.rows, row, column * bytes / 4, halves)
                               : (static_cast<std::size_t>(row) * padded_cols(t.cols) + column) * bytes;
    return reinterpret_cast<std::uint32_t*>(static_cast<char*>(t.out) + at);
}

__device__ std::uint32_t two_halves(float a, float b) {
    const __half2 pair = __floats2half2_rn(a, b);
    return *reinterpret_cast<const std::uint32_t*>(&pair);
}

/// Threads of a block at most, and blocks a multiprocessor: of few rows, each has one for itself.
constexpr int most_threads(int chunks, bool normalize, bool few) {
    return normalize || (chunks == 2 && !few) ? norm_threads : few ? 1024 : max_warps * 32;
}
constexpr int blocks_at_once(int chunks, bool few) {
    return few ? 1 : chunks == 4 ? 3 : 6;
}

/// One block a row, several rows a multiprocessor at once: while one waits for its numbers
/// or its barriers, others work. Few rows: more warps, and gamma before the kernel before has ended.
template<int chunks, bool normalize, bool few>
__global__ void __launch_bounds__(most_threads(chunks, normalize, few), blocks_at_once(chunks, few))
    transform_many_rows_kernel(const RowTransform t) {
    __shared__ float scratch[2][32];
    let_next_kernel_start();
    ManyRow<chunks> row;
    [[maybe_unused]] ManyRow<chunks> gamma{}; // no kernel of a pass writes it
    if constexpr (normalize && few)
        if (t.gamma != nullptr)
            gamma.load(t.gamma, t.cols);
    wait_for_previous_kernel();
    const std::size_t from = t.rows_of != nullptr ? t.rows_of[blockIdx.x] : blockIdx.x;
    row.load(t.x + from * t.cols, t.cols);
    if constexpr (normalize)
        row.normalize(
            t,
            [&](int i, int half) {
                return few ? gamma.v[i][half]
                           : __ldg(reinterpret_cast<const float4*>(t.gamma + row.column(i, half)));
            },
            scratch[0]);
    if (t.hadamard_block > 1)
        row.hadamard();
    const bool halves = t.store == RowStore::f16;
    const int stored = t.layout == RowLayout::rows
                           ? padded_cols(t.cols)
                           : slabs_of(t.cols, halves ? 2 : 1) * slab_bytes / (halves ? 2 : 1);
    if (halves) {
#pragma unroll
        for (int i = 0; i < chunks; ++i)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int column = row.column(i, half);
                const float4& x = row.v[i][half];
                if (column >= stored)
                    continue;
                *word_at(t, column, true) = two_halves(x.x, x.y);
                *word_at(t, column + 2, true) = two_halves(x.z, x.w);
            }
        return;
    }
    const auto q = static_cast<float>(t.largest_code);
    const float largest =
        block_combine(row.largest(), scratch[1], [](float a, float b) { return max_or_nan(a, b); });
    const float scale = scale_of(largest, t.clip, q);
    if (threadIdx.x == 0)
        t.scales[blockIdx.x] = scale;
    const RowCoder coder(scale, q);
    const int shift = code_shift(t.layout, t.largest_code);
    const std::uint32_t kept = 0x01010101U * (0xFFU << shift & 0xFFU); // not what bytes shift into the next
#pragma unroll
    for (int i = 0; i < chunks; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half)
            if (row.column(i, half) < stored)
                *word_at(t, row.column(i, half), false) = coder.four(row.v[i][half]) << shift & kept;
}

/// Warps of a block whose warps take `chunks` chunks each.
int warps_for(const RowTransform& t, int chunks) {
    const int all = (t.cols + chunk_cols - 1) / chunk_cols;
    return t.normalize ? norm_threads / 32 : (all + chunks - 1) / chunks;
}

template<int chunks, bool few>
Status launch_chunks(const RowTransform& t, const Launch& how) {
    return launch("transform_many_rows",
                  t.normalize ? transform_many_rows_kernel<chunks, true, few>
                              : transform_many_rows_kernel<chunks, false, few>,
                  dim3(t.rows), dim3(warps_for(t, chunks) * 32), 0, how, t);
}

} // namespace

bool takes_many_rows(const RowTransform& t) {
    return t.signs == nullptr && (t.hadamard_block <= 1 || t.hadamard_block == chunk_cols) &&
           t.store != RowStore::f32 && t.cols % 4 == 0 &&
           t.cols <= (t.normalize ? norm_threads / 32 : max_warps) * 4 * chunk_cols;
}

Status transform_many_rows(const RowTransform& t, const Launch& how) {
    constexpr int few_rows = 256;
    constexpr int two_chunks = norm_threads / 32 * 2 * chunk_cols; // columns
    if (t.rows < few_rows)
        return t.normalize && t.cols > two_chunks ? launch_chunks<4, true>(t, how)
                                                  : launch_chunks<2, true>(t, how);
    return t.cols <= two_chunks ? launch_chunks<2, false>(t, how) : launch_chunks<4, false>(t, how);
}

} // namespace quantscope::kernels
