// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/worker/event_writer.h"
#include "engine/worker/ticker.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

namespace quantscope::worker {

/// Counts what a run has done and tells the client so, every 400 ms and at the end. Thread-safe.
class ProgressMeter {
  public:
    ProgressMeter(EventWriter& writer, std::string run, std::string measure, int total);

    void add_done(int count = 1) { done_ += count; }
    void add_tokens(std::int64_t count) { tokens_ += count; }
    void report(); ///< now, besides the regular ones

  private:
    EventWriter& writer_;
    std::string run_, measure_;
    int total_;
    std::atomic<int> done_ = 0;
    std::atomic<std::int64_t> tokens_ = 0;
    std::chrono::steady_clock::time_point start_;
    Ticker ticker_; ///< last: it uses the others
};

} // namespace quantscope::worker
