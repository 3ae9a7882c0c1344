// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

#include <cuda.h>

namespace quantscope::kernels {

/// Describes a matrix in device memory to Hopper's copy engine.
struct MatrixMap {
    void* data = nullptr; ///< [rows][columns]; aligned to 16 bytes, as is each row
    int rows = 0;
    int columns = 0;
    bool halves = false; ///< else floats
    int box_rows = 0; ///< of what is copied at once; it has 128 bytes of each row (with the 128-byte swizzle)
};

/// Errors: unsupported (a driver without tensor maps), failed (what cannot be described).
Status encode(const MatrixMap& matrix, CUtensorMap& map);

} // namespace quantscope::kernels
