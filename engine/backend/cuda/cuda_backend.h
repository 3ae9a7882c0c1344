// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"

namespace quantscope::cuda {

/// The backend on the first CUDA device. Errors: unsupported, when no driver or no device answers, in one
/// sentence.
Expected<std::unique_ptr<Backend>> make_cuda_backend();

} // namespace quantscope::cuda
