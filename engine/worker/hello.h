// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/protocol/messages.h"

namespace quantscope::worker {

/// A device as the protocol shows it.
protocol::Device to_protocol(const DeviceInfo& device);

/// What this build can do on this host. The sandbox's state is left to the caller.
protocol::HelloEvent make_hello();

} // namespace quantscope::worker
