// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

namespace quantscope::kernels {

/// Decode steps of a Llama-2-7B shape by the separate kernels, at batch 8 to 64: prints the time of a step
/// and what each kernel adds to it (the step with it less the step without it).
Status bench_decode_steps();

} // namespace quantscope::kernels
