// SPDX-License-Identifier: Apache-2.0
#include "tests/support/replay.h"

#include "engine/protocol/event_stream.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace quantscope::fake {
namespace {

using namespace protocol;

/// The open run of that name, or a new one.
Recording::Run& open_run(std::vector<Recording::Run>& runs, const std::string& name) {
    const auto it = std::find_if(runs.begin(), runs.end(), [&](const auto& run) { return run.name == name; });
    return it != runs.end() ? *it : runs.emplace_back(Recording::Run{name, {}});
}

/// Sorts one run's events into its eval and its latency measurement; events that do not say which they
/// belong to (phase, metric, telemetry, error) go to the one that the next such event names.
class Sorter {
  public:
    explicit Sorter(Recording& recording) : recording_(recording) {}

    void take(EventBody body) {
        if (std::holds_alternative<HelloEvent>(body)) {
            recording_.hello = std::get<HelloEvent>(std::move(body));
            return;
        }
        const bool telemetry = std::holds_alternative<TelemetryEvent>(body);
        const std::string run = telemetry ? last_run_ : run_of(body);
        if (run.empty()) {
            const bool of_load = std::holds_alternative<LoadedEvent>(body) ||
                                 std::holds_alternative<PhaseEvent>(body) ||
                                 std::holds_alternative<ErrorEvent>(body);
            if (of_load) {
                recording_.load.push_back(std::move(body));
            }
            return;
        }
        last_run_ = run;
        const std::string measure = measure_of(body);
        std::vector<EventBody>& waiting = waiting_[run];
        waiting.push_back(std::move(body));
        if (measure.empty()) {
            return;
        }
        Recording::Run& target = open_run(measure == "eval" ? recording_.eval : recording_.latency, run);
        std::move(waiting.begin(), waiting.end(), std::back_inserter(target.events));
        waiting.clear();
    }

  private:
    static std::string measure_of(const EventBody& body) {
        if (const auto* progress = std::get_if<ProgressEvent>(&body)) {
            return progress->measure;
        }
        if (const auto* done = std::get_if<DoneEvent>(&body)) {
            return done->measure;
        }
        if (std::holds_alternative<SampleEvent>(body) || std::holds_alternative<ProblemsEvent>(body)) {
            return "eval";
        }
        return std::holds_alternative<LatencyEvent>(body) ? "latency" : "";
    }

    Recording& recording_;
    std::string last_run_; ///< telemetry names none: it goes where it was recorded
    std::map<std::string, std::vector<EventBody>> waiting_;
};

} // namespace

std::string run_of(const EventBody& event) {
    return std::visit(
        [](const auto& body) -> std::string {
            if constexpr (requires { body.run; }) {
                return body.run;
            } else {
                return {};
            }
        },
        event);
}

EventBody renamed(EventBody event, const std::string& run) {
    std::visit(
        [&](auto& body) {
            if constexpr (requires { body.run; }) {
                body.run = run;
            }
        },
        event);
    return event;
}

Expected<Recording> read_recording(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        return make_error(ErrorCode::io, "Cannot open the recorded stream " + file + ".");
    }
    Recording recording;
    Sorter sorter(recording);
    EventStream stream;
    stream.feed(std::string(std::istreambuf_iterator<char>(in), {}));
    stream.finish();
    while (auto event = stream.next()) {
        if (!*event) {
            return tl::unexpected(event->error());
        }
        sorter.take(std::move((*event)->body));
    }
    return recording;
}

const Recording::Run* find_run(const std::vector<Recording::Run>& runs, const std::string& scheme,
                               int batch_size, std::size_t position) {
    for (const std::string& start : {scheme + "/b" + std::to_string(batch_size), scheme + "/"}) {
        const bool whole = start.back() != '/';
        const auto it = std::find_if(runs.begin(), runs.end(), [&](const auto& run) {
            return whole ? run.name == start : run.name.rfind(start, 0) == 0;
        });
        if (it != runs.end()) {
            return &*it;
        }
    }
    return runs.empty() ? nullptr : &runs[position % runs.size()];
}

} // namespace quantscope::fake
