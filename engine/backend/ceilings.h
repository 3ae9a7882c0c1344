// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

namespace quantscope {

/// What a device reaches with nothing else to do, measured.
struct DeviceCeilings {
    double read_bytes_per_s = 0.0;
    double copy_bytes_per_s = 0.0; ///< bytes read plus bytes written
    double int8_ops_per_s = 0.0;   ///< by mma.sync, from registers; a multiplication and an addition are two
};

/// Of the first CUDA device, now; takes some 0.2 s. Errors: unsupported (no CUDA), oom, device.
Expected<DeviceCeilings> measure_cuda_ceilings();

} // namespace quantscope
