// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/eval/sandbox.h"

#include <functional>

namespace quantscope::worker {

struct ServeOptions {
    int in_fd = 0;      ///< requests
    int out_fd = 1;     ///< events; nothing else may be written there
    int record_fd = -1; ///< gets a copy of all events; -1: none
    eval::SandboxConfig sandbox;
    /// Called from another thread when the end was asked for and work did not stop within two seconds (a step
    /// of a large model cannot be interrupted). It is expected to end the process.
    std::function<void()> on_overdue;
};

/// Speaks the protocol until shutdown, the end of in_fd, or a client that is gone. Errors: device, after a
/// fault that makes the device unusable (the client was told).
Expected<> serve(const ServeOptions& options);

} // namespace quantscope::worker
