// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/run_telemetry.h"

namespace quantscope::worker {
namespace {

void put(std::map<std::string, double>& values, const char* name, const std::optional<double>& value) {
    if (value) {
        values.emplace(name, *value);
    }
}

} // namespace

RunTelemetry::RunTelemetry(EventWriter& writer, telemetry::ReadDevice read, std::chrono::milliseconds period)
    : writer_(writer), read_(std::move(read)) {
    if (read_) {
        sample();
        ticker_ = std::make_unique<Ticker>(period, [this] { sample(); });
    }
}

void RunTelemetry::sample() {
    const std::lock_guard lock(mutex_);
    const telemetry::DeviceReading reading = read_();
    meter_.add(reading);
    protocol::TelemetryEvent event;
    put(event.values, "power_w", reading.power_w);
    put(event.values, "sm_clock_mhz", reading.sm_clock_mhz);
    put(event.values, "memory_clock_mhz", reading.memory_clock_mhz);
    put(event.values, "temperature_c", reading.temperature_c);
    put(event.values, "energy_j", meter_.joules());
    if (!event.values.empty()) {
        writer_.send(std::move(event));
    }
}

std::optional<double> RunTelemetry::joules(double min_seconds) {
    if (!read_) {
        return std::nullopt;
    }
    sample();
    const std::lock_guard lock(mutex_);
    return meter_.seconds() >= min_seconds ? meter_.joules() : std::nullopt;
}

Expected<std::optional<EnergyFigures>> measure_energy(Session& session, const LatencyPlan& plan,
                                                      const telemetry::ReadDevice& read, double seconds,
                                                      const std::stop_token& cancel) {
    if (!read) {
        return std::nullopt;
    }
    telemetry::EnergyMeter meter;
    meter.add(read());
    double tokens = 0.0;
    do {
        if (auto round = run_latency_round(session, plan, 0, cancel); !round) {
            return tl::unexpected(round.error());
        }
        tokens += static_cast<double>(plan.batch_size) * plan.output_tokens;
        meter.add(read());
    } while (meter.seconds() < seconds);
    const auto joules = meter.joules();
    return joules ? std::optional(EnergyFigures{*joules / tokens, meter.mean(), meter.seconds()})
                  : std::nullopt;
}

} // namespace quantscope::worker
