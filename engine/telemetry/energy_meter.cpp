// SPDX-License-Identifier: Apache-2.0
#include "engine/telemetry/energy_meter.h"

namespace quantscope::telemetry {

void EnergyMeter::Sum::add(const std::optional<double>& value) {
    if (value) {
        total += *value;
        ++count;
    }
}

std::optional<double> EnergyMeter::Sum::mean() const {
    return count > 0 ? std::optional(total / count) : std::nullopt;
}

void EnergyMeter::add(const DeviceReading& reading, Clock::time_point at) {
    if (readings_ == 0) {
        first_ = at;
        first_energy_j_ = reading.energy_j;
    } else if (last_power_w_ && reading.power_w) {
        const double seconds = std::chrono::duration<double>(at - last_).count();
        integral_j_ += (*last_power_w_ + *reading.power_w) / 2.0 * seconds;
        ++trapezoids_;
    }
    ++readings_;
    last_ = at;
    last_energy_j_ = reading.energy_j;
    last_power_w_ = reading.power_w;
    power_.add(reading.power_w);
    sm_clock_.add(reading.sm_clock_mhz);
    memory_clock_.add(reading.memory_clock_mhz);
    temperature_.add(reading.temperature_c);
}

std::optional<double> EnergyMeter::joules() const {
    if (readings_ > 1 && first_energy_j_ && last_energy_j_ && *last_energy_j_ >= *first_energy_j_) {
        return *last_energy_j_ - *first_energy_j_;
    }
    // A reading without power leaves a hole, over which nothing can be said.
    return readings_ > 1 && trapezoids_ == readings_ - 1 ? std::optional(integral_j_) : std::nullopt;
}

double EnergyMeter::seconds() const {
    return readings_ > 1 ? std::chrono::duration<double>(last_ - first_).count() : 0.0;
}

DeviceReading EnergyMeter::mean() const {
    DeviceReading mean{.power_w = power_.mean(),
                       .sm_clock_mhz = sm_clock_.mean(),
                       .memory_clock_mhz = memory_clock_.mean(),
                       .temperature_c = temperature_.mean(),
                       .energy_j = std::nullopt};
    if (const auto energy = joules(); energy && seconds() > 0.0) {
        mean.power_w = *energy / seconds();
    }
    return mean;
}

} // namespace quantscope::telemetry
