// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

namespace quantscope::kernels {

/// Prints the time of whole decode steps of Llama-2-7B (random weights, context 144): decode_step's one
/// kernel, and the separate kernels as a graph. Embedding and sampling are not in it.
Status bench_whole_steps();

} // namespace quantscope::kernels
