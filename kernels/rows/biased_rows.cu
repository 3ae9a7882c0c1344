// SPDX-License-Identifier: Apache-2.0
#include "kernels/rows/biased_rows.h"

#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"

namespace quantscope::kernels {
namespace {

constexpr int threads = 256;

/// Grid (columns, rows), a thread an element.
__global__ void add_bias_kernel(float* x, const float* bias, int cols) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= cols)
        return;
    float* const at = x + static_cast<std::size_t>(blockIdx.y) * cols + i;
    *at = __fadd_rn(*at, bias[i]);
}

__global__ void silu_multiply_biased_kernel(const float* gate_up, const float* bias, int inner, float* out) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= inner)
        return;
    const float* const row = gate_up + static_cast<std::size_t>(blockIdx.y) * 2 * inner;
    out[static_cast<std::size_t>(blockIdx.y) * inner + i] =
        silu_times(__fadd_rn(row[i], bias[i]), __fadd_rn(row[inner + i], bias[inner + i]));
}

dim3 grid_of(int cols, int rows) {
    return dim3((cols + threads - 1) / threads, rows);
}

} // namespace

Status add_bias(float* x, const float* bias, int rows, int cols, const Launch& how) {
    return launch("add_bias", add_bias_kernel, grid_of(cols, rows), dim3(threads), 0, how, x, bias, cols);
}

Status silu_multiply_biased(const float* gate_up, const float* bias, int rows, int inner, float* out,
                            const Launch& how) {
    return launch("silu_multiply_biased", silu_multiply_biased_kernel, grid_of(inner, rows), dim3(threads), 0,
                  how, gate_up, bias, inner, out);
}

} // namespace quantscope::kernels
