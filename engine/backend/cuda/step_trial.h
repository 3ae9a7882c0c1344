// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cuda/forward.h"

namespace quantscope::cuda {

/// A session whose workspace is allocated and holds no sequence.
struct FreshSession {
    const ModelConfig& config;
    const Workspace& workspace;
    int max_slots;
    int context_length;
    cudaStream_t stream;
};

/// Runs a few tokens both ways, as one kernel and by the separate kernels. Where a bit of a logit differs,
/// the session keeps to the separate kernels and stderr says so: a device on which the one kernel has not
/// been seen gives slower steps, never other results.
kernels::Status try_whole_steps(const FreshSession& session, Forward& forward);

} // namespace quantscope::cuda
