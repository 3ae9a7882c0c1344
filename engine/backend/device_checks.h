// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace quantscope {

/// One check of the selftest.
struct DeviceCheck {
    std::string name; ///< what was compared, with its sizes
    bool passed = false;
    std::string detail;   ///< the figure compared, or the first difference
    bool skipped = false; ///< not for this device; passed, then
};

/// Every CUDA kernel against its CPU reference, on fresh random inputs that `seed` draws. Needs a CUDA
/// device; without the CUDA backend there is nothing to check.
std::vector<DeviceCheck> check_kernels(unsigned seed);

} // namespace quantscope
