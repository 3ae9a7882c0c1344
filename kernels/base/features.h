// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

namespace quantscope::kernels {

/// Whether the current device has wgmma (Hopper) and this was compiled for it (sm_90a).
Status has_wgmma(bool& has);

} // namespace quantscope::kernels
