// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

#include <string>
#include <vector>

namespace quantscope::kernels {

/// One comparison of a kernel with its CPU reference on fresh random inputs.
struct CheckResult {
    std::string name; ///< kernel and shape
    bool passed = false;
    std::string detail;   ///< the figure compared, or the first difference
    bool skipped = false; ///< not for this device; passed, then
};

/// Every kernel against its reference: odd sizes, batch tails, poisoned outputs. A new seed gives new inputs.
/// @param only  only checks whose name has this text
std::vector<CheckResult> run_checks(unsigned seed, const std::string& only = {});

} // namespace quantscope::kernels
