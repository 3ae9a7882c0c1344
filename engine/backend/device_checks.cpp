// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/device_checks.h"

#ifdef QUANTSCOPE_HAVE_CUDA
#include "kernels/check/check.h"
#endif

namespace quantscope {

#ifdef QUANTSCOPE_HAVE_CUDA
std::vector<DeviceCheck> check_kernels(unsigned seed) {
    std::vector<DeviceCheck> checks;
    for (kernels::CheckResult& result : kernels::run_checks(seed)) {
        checks.push_back({std::move(result.name), result.passed, std::move(result.detail), result.skipped});
    }
    return checks;
}
#else
std::vector<DeviceCheck> check_kernels(unsigned) {
    return {};
}
#endif

} // namespace quantscope
