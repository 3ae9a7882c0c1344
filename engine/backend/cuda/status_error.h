// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "kernels/base/status.h"

namespace quantscope::cuda {

/// What a kernel's or a CUDA call's status is to the engine; `doing` says what it was part of.
tl::unexpected<Error> to_error(const kernels::Status& status, const std::string& doing);

} // namespace quantscope::cuda

/// Returns from the enclosing function with the Error when a kernels::Status is not ok.
#define QS_CUDA_EXPECT(call, doing)                                                                          \
    do {                                                                                                     \
        if (auto qs_status = (call); !qs_status.ok()) {                                                      \
            return ::quantscope::cuda::to_error(qs_status, doing);                                           \
        }                                                                                                    \
    } while (false)
