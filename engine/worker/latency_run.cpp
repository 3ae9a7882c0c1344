// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/latency.h"
#include "engine/worker/progress_meter.h"
#include "engine/worker/run_context.h"
#include "engine/worker/run_telemetry.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace quantscope::worker {
namespace {

SessionNeed need_of(const protocol::LatencyRequest& request) {
    return {request.batch_size, request.prompt_tokens + request.output_tokens};
}

/// One cell of the request while it is measured.
struct Cell {
    const JobRun* run = nullptr;
    Session* session = nullptr;
    std::unique_ptr<ProgressMeter> progress;
    double bytes_per_s_sum = 0.0;
    int rounds = 0;
    bool open = true; ///< its `done` is still owed
};

class LatencyMeasurement {
  public:
    LatencyMeasurement(RunContext& context, const protocol::LatencyRequest& request)
        : context_(context), request_(request) {
        plan_.batch_size = request.batch_size;
        plan_.prompt_tokens = request.prompt_tokens;
        plan_.output_tokens = request.output_tokens;
        plan_.rounds = request.requests;
        plan_.first_round = std::min(request.first_round, request.requests);
    }

    /// Measures these cells taking turns; their schemes must fit in memory together.
    Expected<> measure(const std::vector<const JobRun*>& runs);

  private:
    void begin(Cell& cell);
    void take_turn(Cell& cell, int round);
    void send_round(const Cell& cell, const LatencyRound& round);
    void finish(Cell& cell);
    Expected<> send_energy(const Cell& cell);
    void end(Cell& cell, const Expected<>& result);

    RunContext& context_;
    const protocol::LatencyRequest& request_;
    LatencyPlan plan_;
    std::optional<Error> device_error_;
};

void LatencyMeasurement::end(Cell& cell, const Expected<>& result) {
    cell.progress.reset();
    cell.open = false;
    if (!result && result.error().code == ErrorCode::device) {
        device_error_ = result.error();
    }
    end_run(context_.writer, cell.run->run, "latency", result);
}

void LatencyMeasurement::begin(Cell& cell) {
    auto loaded = begin_run(context_, *cell.run, need_of(request_));
    if (!loaded) {
        return end(cell, tl::unexpected(loaded.error()));
    }
    cell.session = (*loaded)->session.get();
    context_.writer.send(protocol::PhaseEvent{
        cell.run->run, "warmup",
        fmt::format("Latency, {}, batch {}", (*loaded)->scheme->label, plan_.batch_size)});
    cell.progress = std::make_unique<ProgressMeter>(context_.writer, cell.run->run, "latency",
                                                    plan_.rounds - plan_.first_round);
}

/// Rounds before first_round are warm-up: run, not reported.
void LatencyMeasurement::take_turn(Cell& cell, int round) {
    LatencyRound measured;
    const auto ran = guarded([&]() -> Expected<> {
        auto result = run_latency_round(*cell.session, plan_, round, cell.run->stop.get_token());
        if (!result) {
            return tl::unexpected(result.error());
        }
        measured = *std::move(result);
        return {};
    });
    if (!ran) {
        return end(cell, ran);
    }
    if (round < plan_.first_round) {
        context_.writer.send(protocol::PhaseEvent{cell.run->run, "latency", "Timed requests"});
        return;
    }
    send_round(cell, measured);
    ++cell.rounds;
    cell.bytes_per_s_sum += measured.decode_bytes_per_s;
    cell.progress->add_done();
    cell.progress->add_tokens(static_cast<std::int64_t>(plan_.batch_size) * plan_.output_tokens);
}

/// In as many events as keep each line far below the protocol's limit.
void LatencyMeasurement::send_round(const Cell& cell, const LatencyRound& round) {
    constexpr std::size_t kNumbersPerEvent = 20000;
    protocol::LatencyEvent event{cell.run->run, round.round, {}};
    std::size_t numbers = 0;
    for (std::size_t slot = 0; slot < round.requests.size(); ++slot) {
        const LatencyRequest& times = round.requests[slot];
        if (!event.requests.empty() && numbers + times.itl_ms.size() > kNumbersPerEvent) {
            context_.writer.send(event);
            event.requests.clear();
            numbers = 0;
        }
        numbers += times.itl_ms.size() + 5;
        event.requests.push_back({static_cast<int>(slot), times.prompt_tokens, times.output_tokens,
                                  times.ttft_ms, times.e2e_ms, times.itl_ms});
    }
    context_.writer.send(std::move(event));
}

void LatencyMeasurement::finish(Cell& cell) {
    cell.progress->report();
    if (cell.rounds > 0 && cell.bytes_per_s_sum > 0.0) {
        context_.writer.send(
            protocol::MetricEvent{cell.run->run, {{"bytes_per_s", cell.bytes_per_s_sum / cell.rounds}}});
    }
    const auto energy = send_energy(cell);
    end(cell, energy);
}

/// Over rounds of its own, one scheme at a time: turns of some ten milliseconds are too short for it.
Expected<> LatencyMeasurement::send_energy(const Cell& cell) {
    std::optional<EnergyFigures> energy;
    auto measured = guarded([&]() -> Expected<> {
        auto figures = measure_energy(*cell.session, plan_, context_.read_device,
                                      telemetry::min_energy_seconds, cell.run->stop.get_token());
        if (!figures) {
            return tl::unexpected(figures.error());
        }
        energy = *figures;
        return {};
    });
    if (measured && energy) {
        protocol::MetricEvent metric{cell.run->run, {{"energy_per_token_j", energy->joules_per_token}}};
        if (energy->mean.power_w) {
            metric.values.emplace("power_w", *energy->mean.power_w);
        }
        context_.writer.send(std::move(metric));
    }
    return measured;
}

Expected<> LatencyMeasurement::measure(const std::vector<const JobRun*>& runs) {
    const RunTelemetry telemetry(context_.writer, context_.read_device);
    std::vector<Cell> cells(runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
        cells[i].run = runs[i];
        begin(cells[i]);
    }
    for (int round = plan_.first_round - plan_.warmup_rounds; round < plan_.rounds; ++round) {
        for (Cell& cell : cells) {
            if (cell.open) {
                take_turn(cell, round);
            }
        }
    }
    for (Cell& cell : cells) {
        if (cell.open) {
            finish(cell);
        }
    }
    if (device_error_) {
        return tl::unexpected(*device_error_);
    }
    return {};
}

} // namespace

Expected<> run_latency(RunContext& context, const protocol::LatencyRequest& request,
                       const std::vector<JobRun>& runs) {
    LatencyMeasurement measurement(context, request);
    const SessionNeed need = need_of(request);
    std::vector<std::string> schemes;
    schemes.reserve(runs.size());
    for (const JobRun& run : runs) {
        schemes.push_back(run.scheme);
    }
    // What fails here fails again, and is told, when its cell begins.
    static_cast<void>(guarded([&] { return context.host.gather(schemes, need); }));
    std::vector<std::vector<const JobRun*>> groups(1);
    for (const JobRun& run : runs) {
        if (context.host.in_memory(run.scheme, need)) {
            groups.front().push_back(&run);
        } else {
            groups.push_back({&run}); // measured alone, after those that share the memory
        }
    }
    for (const auto& group : groups) {
        if (auto measured = measurement.measure(group); !measured) {
            return measured;
        }
    }
    return {};
}

} // namespace quantscope::worker
