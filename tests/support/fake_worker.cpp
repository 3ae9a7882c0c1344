// SPDX-License-Identifier: Apache-2.0
//
// A worker that computes nothing: it answers load, eval and latency from a recorded stream, under the run
// names that the client asks for, and can misbehave on purpose. Settings come from the environment, so that
// the binary can stand where quantscope-worker stands:
//   QUANTSCOPE_FAKE_STREAM    the recording (required)
//   QUANTSCOPE_FAKE_FAULT     none | truncate | garbage | crash | silence | gap | version
//   QUANTSCOPE_FAKE_AFTER     how many events come before the fault (default 0: right after hello)
//   QUANTSCOPE_FAKE_DELAY_MS  pause before each event of a run (default 0)
#include "engine/protocol/codec.h"
#include "engine/protocol/line_splitter.h"
#include "tests/support/replay.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <poll.h>
#include <set>
#include <unistd.h>

namespace {

using namespace quantscope;
using namespace quantscope::protocol;

std::string setting(const char* name, const char* fallback) {
    const char* value = std::getenv(name);
    return value == nullptr ? fallback : value;
}

class FakeWorker {
  public:
    explicit FakeWorker(fake::Recording recording)
        : recording_(std::move(recording)), fault_(setting("QUANTSCOPE_FAKE_FAULT", "none")),
          fault_after_(std::atoll(setting("QUANTSCOPE_FAKE_AFTER", "0").c_str())),
          delay_ms_(std::atoi(setting("QUANTSCOPE_FAKE_DELAY_MS", "0").c_str())) {}

    int serve() {
        if (fault_ == "version") {
            recording_.hello.protocol = 99;
        }
        send(recording_.hello);
        while (!ended_) {
            pollfd in{STDIN_FILENO, POLLIN, 0};
            const int ready = poll(&in, 1, queue_.empty() ? -1 : delay_ms_);
            if (ready > 0) {
                read_requests();
            } else if (!queue_.empty()) {
                const EventBody event = std::move(queue_.front());
                queue_.pop_front();
                send(event);
            }
        }
        return 0;
    }

  private:
    void write_all(const std::string& text) {
        std::cout << text << std::flush;
        if (!std::cout) {
            ended_ = true;
        }
    }

    void send(const EventBody& body) {
        if (silent_) {
            return;
        }
        ++seq_;
        const bool now = seq_ > fault_after_ + 1; // hello itself is event 1
        if (now && fault_ == "gap") {
            ++seq_;
            fault_ = "none";
        }
        const std::string line = encode_event({seq_, body});
        if (now && fault_ == "truncate") {
            write_all(line.substr(0, line.size() / 2));
            std::_Exit(0);
        }
        if (now && fault_ == "crash") {
            std::abort();
        }
        if (now && fault_ == "silence") {
            silent_ = true;
            return;
        }
        if (now && fault_ == "flood") { // faster than any disk stores
            fault_ = "none";
            for (int i = 0; i < 200'000 && std::cout; ++i) {
                write_all(encode_event({seq_++, TelemetryEvent{{{"power_w", double(i)}}}}));
            }
        }
        if (now && fault_ == "garbage") {
            fault_ = "none";
            write_all("\x01\xff{\"event\":garbage \x80\n");
        }
        write_all(line);
    }

    void read_requests() {
        char bytes[65536];
        const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
        if (count <= 0) {
            ended_ = true;
            return;
        }
        lines_.feed({bytes, static_cast<std::size_t>(count)});
        while (auto line = lines_.next()) {
            const Expected<Request> request =
                *line ? decode_request(**line) : tl::unexpected((*line).error());
            if (request) {
                std::visit([this](const auto& asked) { answer(asked); }, *request);
            } else {
                send(ErrorEvent{{}, {}, request.error(), false});
            }
        }
    }

    void answer(const LoadRequest& load) {
        for (EventBody event : recording_.load) {
            if (auto* loaded = std::get_if<LoadedEvent>(&event)) {
                loaded->schemes = load.schemes;
            }
            queue_.push_back(std::move(event));
        }
    }

    void answer(const EvalRequest& eval) {
        const std::set<SampleKey> skip(eval.skip.begin(), eval.skip.end());
        enqueue(recording_.eval, {eval.run, eval.scheme}, eval.batch_size, evals_++, "eval",
                [&](const EventBody& event) {
                    const auto* sample = std::get_if<SampleEvent>(&event);
                    return sample == nullptr || !skip.contains({sample->task_id, sample->sample_index});
                });
    }

    void answer(const LatencyRequest& latency) {
        for (const LatencyCell& cell : latency.cells) {
            enqueue(recording_.latency, cell, latency.batch_size, latencies_++, "latency",
                    [&](const EventBody& event) {
                        const auto* round = std::get_if<LatencyEvent>(&event);
                        return round == nullptr || fault_ == "more-rounds" ||
                               (round->round >= latency.first_round && round->round < latency.requests);
                    });
        }
    }

    template<class Keep>
    void enqueue(const std::vector<fake::Recording::Run>& runs, const LatencyCell& cell, int batch_size,
                 std::size_t position, const char* measure, const Keep& keep) {
        const fake::Recording::Run* run = fake::find_run(runs, cell.scheme, batch_size, position);
        if (run == nullptr) {
            queue_.push_back(DoneEvent{cell.run, measure, "failed"});
            return;
        }
        for (const EventBody& event : run->events) {
            if (keep(event)) {
                queue_.push_back(fake::renamed(event, cell.run));
            }
        }
    }

    void answer(const CancelRequest& cancel) {
        std::deque<EventBody> kept;
        for (EventBody& event : queue_) {
            const std::string run = fake::run_of(event);
            if (run.empty() || (!cancel.run.empty() && run != cancel.run)) {
                kept.push_back(std::move(event));
            } else if (auto* done = std::get_if<DoneEvent>(&event)) {
                done->status = "cancelled";
                kept.push_back(std::move(event));
            }
        }
        queue_ = std::move(kept);
    }

    void answer(const PingRequest& /*ping*/) { send(PongEvent{}); }
    void answer(const ShutdownRequest& /*shutdown*/) { ended_ = true; }

    fake::Recording recording_;
    std::string fault_;
    std::int64_t fault_after_;
    int delay_ms_;
    LineSplitter lines_;
    std::deque<EventBody> queue_;
    std::int64_t seq_ = 0;
    std::size_t evals_ = 0, latencies_ = 0;
    bool silent_ = false;
    bool ended_ = false;
};

} // namespace

int main() {
    try {
        auto recording = quantscope::fake::read_recording(setting("QUANTSCOPE_FAKE_STREAM", ""));
        if (recording) {
            return FakeWorker(*std::move(recording)).serve();
        }
        std::cerr << "quantscope-fake-worker: " << recording.error().message << '\n';
        return 3;
    } catch (const std::exception& defect) {
        std::fputs(defect.what(), stderr);
        return 1;
    }
}
