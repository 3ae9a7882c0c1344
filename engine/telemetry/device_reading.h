// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

namespace quantscope::telemetry {

/// What a device says about itself at one moment; what it does not report is absent.
struct DeviceReading {
    std::optional<double> power_w;
    std::optional<double> sm_clock_mhz;
    std::optional<double> memory_clock_mhz;
    std::optional<double> temperature_c;
    std::optional<double> energy_j; ///< since the driver was loaded
};

using ReadDevice = std::function<DeviceReading()>;

} // namespace quantscope::telemetry
