// SPDX-License-Identifier: Apache-2.0
#include "kernels/rows/row_transform.h"

#include "kernels/rows/many_rows.h"
#include "kernels/rows/row_math.cuh"

#include <algorithm>

namespace quantscope::kernels {
namespace {

/// Words of 4 bytes that a row is stored as, padding included, and where word i of the block's row goes.
__device__ int words_of(const RowTransform& t, int element_bytes) {
    return t.layout == RowLayout::slabs ? slabs_of(t.cols, element_bytes) * slab_bytes / 4
                                        : padded_cols(t.cols) * element_bytes / 4;
}
__device__ void* word_of(const RowTransform& t, int i, bool halves) {
    const auto row = static_cast<int>(blockIdx.x);
    const std::size_t at =
        t.layout == RowLayout::slabs
            ? slab_offset(t.rows, row, i, halves)
            : (static_cast<std::size_t>(row) * (padded_cols(t.cols) * (halves ? 2 : 1) / 4) + i) * 4;
    return static_cast<char*>(t.out) + at;
}

__device__ void store_codes(const RowTransform& t, const float* row, float* scratch) {
    const auto q = static_cast<float>(t.largest_code);
    const float scale = scale_of(largest_magnitude(row, t.cols, scratch), t.clip, q);
    if (threadIdx.x == 0)
        t.scales[blockIdx.x] = scale;
    const auto code = [&](int i) -> std::int8_t { return i < t.cols ? code_of(row[i], scale, q) : 0; };
    const int shift = code_shift(t.layout, t.largest_code);
    const auto stored = [&](int i) { return static_cast<signed char>(code(i) * (1 << shift)); };
    for (int i = threadIdx.x; i < words_of(t, 1); i += blockDim.x)
        *static_cast<char4*>(word_of(t, i, false)) =
            make_char4(stored(4 * i), stored(4 * i + 1), stored(4 * i + 2), stored(4 * i + 3));
}

__device__ void store_halves(const RowTransform& t, const float* row) {
    const auto value = [&](int i) { return i < t.cols ? row[i] : 0.0F; };
    for (int i = threadIdx.x; i < words_of(t, 2); i += blockDim.x)
        *static_cast<__half2*>(word_of(t, i, true)) = __floats2half2_rn(value(2 * i), value(2 * i + 1));
}

/// One block a row.
__global__ void transform_rows_kernel(const RowTransform t) {
    extern __shared__ __align__(16) float row[]; // [cols]
    __shared__ float scratch[2][32];
    let_next_kernel_start();
    wait_for_previous_kernel();
    const std::size_t from = t.rows_of != nullptr ? t.rows_of[blockIdx.x] : blockIdx.x;
    const float* const x = t.x + from * t.cols;
    if (t.cols % 4 == 0) {
        for (int i = threadIdx.x; i < t.cols / 4; i += blockDim.x)
            reinterpret_cast<float4*>(row)[i] = reinterpret_cast<const float4*>(x)[i];
    } else {
        for (int i = threadIdx.x; i < t.cols; i += blockDim.x)
            row[i] = x[i];
    }
    __syncthreads();
    if (t.normalize)
        scale_row(row, t.cols, inverse_rms(row, t.cols, t.eps, scratch[0]), t.gamma);
    if (t.signs != nullptr)
        for (int i = threadIdx.x; i < t.cols; i += blockDim.x)
            row[i] = __fmul_rn(row[i], t.signs[i]);
    __syncthreads();
    if (t.hadamard_block > 1)
        hadamard_blocks(row, t.cols, t.hadamard_block);
    if (t.store == RowStore::codes) {
        store_codes(t, row, scratch[1]);
    } else if (t.store == RowStore::f16) {
        store_halves(t, row);
    } else {
        auto* const out = static_cast<float*>(t.out) + static_cast<std::size_t>(blockIdx.x) * t.cols;
        for (int i = threadIdx.x; i < t.cols; i += blockDim.x)
            out[i] = row[i];
    }
}

} // namespace

Status transform_rows(const RowTransform& transform, const Launch& how) {
    if (transform.rows == 0)
        return {};
    if (takes_many_rows(transform))
        return transform_many_rows(transform, how);
    // Few rows: all threads for each. Many: more blocks an SM, so that one's barriers hide behind others.
    constexpr int many_rows = 256;
    const int threads = transform.rows < many_rows
                            ? std::clamp((transform.cols / 4 + 31) / 32 * 32, 64, 1024)
                            : std::clamp((transform.cols / 16 + 31) / 32 * 32, 64, 384);
    const std::size_t vectors = (static_cast<std::size_t>(transform.cols) + 3) / 4; // the last is read whole
    return launch("transform_rows", transform_rows_kernel, dim3(transform.rows), dim3(threads),
                  vectors * sizeof(float4), how, transform);
}

} // namespace quantscope::kernels
