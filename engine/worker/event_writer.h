// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/messages.h"

#include <atomic>
#include <cstdint>
#include <mutex>

namespace quantscope::worker {

/// The worker's outgoing stream: numbers the events and writes whole lines, from any thread.
class EventWriter {
  public:
    /// `record_fd` gets the same bytes; -1: none. Neither descriptor is owned.
    explicit EventWriter(int out_fd, int record_fd = -1) : out_fd_(out_fd), record_fd_(record_fd) {}

    void send(protocol::EventBody body);

    /// The client is gone: a write failed. Later events are dropped.
    [[nodiscard]] bool broken() const { return broken_; }

  private:
    std::mutex mutex_;
    int out_fd_;
    int record_fd_;
    std::int64_t seq_ = 0;
    std::atomic<bool> broken_ = false;
};

} // namespace quantscope::worker
