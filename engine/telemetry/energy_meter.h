// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/telemetry/device_reading.h"

#include <chrono>

namespace quantscope::telemetry {

/// Counters of energy move in steps of up to 0.1 s: over less than this, what they say is not worth telling.
constexpr double min_energy_seconds = 1.0;

/// Energy and means over the readings that it was given, in order of time.
class EnergyMeter {
  public:
    using Clock = std::chrono::steady_clock;

    void add(const DeviceReading& reading, Clock::time_point at = Clock::now());

    /// From the first reading to the last: the device's own counter where it has one, else power integrated
    /// by trapezoids. Absent before the second reading, and where the device reports neither.
    [[nodiscard]] std::optional<double> joules() const;
    [[nodiscard]] double seconds() const; ///< from the first reading to the last
    /// Means of what the readings reported; power is joules() over seconds() where there are both.
    [[nodiscard]] DeviceReading mean() const;

  private:
    struct Sum {
        double total = 0.0;
        int count = 0;
        void add(const std::optional<double>& value);
        [[nodiscard]] std::optional<double> mean() const;
    };

    int readings_ = 0;
    Clock::time_point first_;
    Clock::time_point last_;
    std::optional<double> first_energy_j_;
    std::optional<double> last_energy_j_;
    std::optional<double> last_power_w_;
    double integral_j_ = 0.0;
    int trapezoids_ = 0;
    Sum power_, sm_clock_, memory_clock_, temperature_;
};

} // namespace quantscope::telemetry
