// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

#include <cuda_runtime.h>

namespace quantscope::kernels {

/// Prints what the kernels of a Llama-2-7B layer take for a prompt of 2,048 tokens, each alone (rounds of all
/// of them, medians) and 32 layers of them in a row.
Status bench_prefill(cudaStream_t stream);

} // namespace quantscope::kernels
