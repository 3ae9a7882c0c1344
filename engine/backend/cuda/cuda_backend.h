// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"

namespace quantscope::cuda {

/// Devices that the driver shows; 0 without one.
int device_count();

/// The backend on the first CUDA device. Errors: unsupported, when no driver or no device answers, or this
/// build has no code that the device takes, in one sentence.
Expected<std::unique_ptr<Backend>> make_cuda_backend();

} // namespace quantscope::cuda
