// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace quantscope::worker {

/// Calls `tick` on a thread of its own every `period` until destroyed; never after the destructor returned.
class Ticker {
  public:
    Ticker(std::chrono::milliseconds period, std::function<void()> tick)
        : thread_([this, period, tick = std::move(tick)](const std::stop_token& stop) {
              std::unique_lock lock(mutex_);
              while (!wake_.wait_for(lock, stop, period, [] { return false; }) && !stop.stop_requested()) {
                  tick();
              }
          }) {}

  private:
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_; ///< last: it uses the others
};

} // namespace quantscope::worker
