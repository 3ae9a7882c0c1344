// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/generate/latency.h"
#include "engine/telemetry/energy_meter.h"
#include "engine/worker/event_writer.h"
#include "engine/worker/ticker.h"

#include <memory>
#include <mutex>

namespace quantscope::worker {

/// Sends `telemetry` while it lives: at its start, then once a period. Without a device to read it does
/// nothing.
class RunTelemetry {
  public:
    /// @param read  may be empty; called from a thread of its own too
    RunTelemetry(EventWriter& writer, telemetry::ReadDevice read,
                 std::chrono::milliseconds period = std::chrono::seconds(1));

    /// Reads and sends once more; the energy since the start. Absent where the device tells none, and before
    /// `min_seconds` have passed.
    std::optional<double> joules(double min_seconds = telemetry::min_energy_seconds);

  private:
    void sample();

    EventWriter& writer_;
    telemetry::ReadDevice read_;
    std::mutex mutex_;
    telemetry::EnergyMeter meter_;
    std::unique_ptr<Ticker> ticker_; ///< last: it uses the others
};

/// What a device took while it did the same rounds over and over.
struct EnergyFigures {
    double joules_per_token = 0.0; ///< of output, prompts included
    telemetry::DeviceReading mean; ///< power, clocks and temperature
    double seconds = 0.0;          ///< measured over
};

/// Repeats the plan's round, at least once and until `seconds` have passed. Nothing where the device tells no
/// energy. Errors: those of run_latency_round().
Expected<std::optional<EnergyFigures>> measure_energy(Session& session, const LatencyPlan& plan,
                                                      const telemetry::ReadDevice& read,
                                                      double seconds = telemetry::min_energy_seconds,
                                                      const std::stop_token& cancel = {});

} // namespace quantscope::worker
