// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

namespace quantscope {

/// Bytes a second that the first CUDA device reads from its memory at best, measured now. Errors: unsupported
/// (no CUDA), oom, device.
Expected<double> measure_cuda_read_ceiling();

} // namespace quantscope
