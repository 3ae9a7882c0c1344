// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/launch.h"

namespace quantscope::kernels {

/// x[m][i] += bias[i]; x [rows][cols]
Status add_bias(float* x, const float* bias, int rows, int cols, const Launch& how);

/// out[m][i] = silu(gate + its bias) * (up + its bias), where the linears of an MLP have biases: elsewhere
/// the product's own epilogue does it.
/// @param gate_up  [rows][2 * inner]: gate, then up
/// @param bias     [2 * inner]
/// @param out      [rows][inner]
Status silu_multiply_biased(const float* gate_up, const float* bias, int rows, int inner, float* out,
                            const Launch& how);

} // namespace quantscope::kernels
