// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

namespace quantscope::kernels {

/// What a device can run of what this binary holds. Nothing else decides that: not the compute capability,
/// which says what the device could run if there were code for it.
struct DeviceFeatures {
    /// __CUDA_ARCH__ of the kernels that the driver takes for this device: 800, 860, 890, 900. A device newer
    /// than the binary's machine code compiles the binary's PTX, and then has what that was written for.
    int code_arch = 0;
    /// The code uses Hopper's own instructions (sm_90a): wgmma, and bulk copies in the kernels beside it.
    bool hopper = false;
    /// The code says where a dependent launch may start and must wait (`griddepcontrol`). Elsewhere a launch
    /// that asks to overlap would start without waiting for anything.
    bool dependent_launch = false;
    bool cooperative = false; ///< blocks of one launch may wait for one another
    int multiprocessors = 0;
    int max_shared_bytes = 0;  ///< of a block that asks for it
    bool compiled_now = false; ///< from PTX, by the driver: the first launches take long
};

/// Of the current device; asked once a device, then remembered for the process. `features` lives as long as
/// the process. unsupported: the binary has no code for it; the sentence names device and architectures.
Status device_features(const DeviceFeatures*& features);

} // namespace quantscope::kernels
