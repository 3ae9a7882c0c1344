// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/worker/event_writer.h"
#include "engine/worker/job_queue.h"

#include <functional>
#include <thread>

namespace quantscope::worker {

/// Reads requests on a thread of its own: jobs go to the queue, cancel, ping and shutdown act at once, wrong
/// requests are answered. At shutdown or the end of `fd` it closes the queue.
class RequestReader {
  public:
    /// `on_overdue`: see ServeOptions.
    RequestReader(int fd, EventWriter& writer, JobQueue& queue, std::function<void()> on_overdue);
    ~RequestReader();
    RequestReader(const RequestReader&) = delete;
    RequestReader& operator=(const RequestReader&) = delete;

  private:
    void read_all();
    bool wait_readable() const;
    void take_line(const std::string& line);
    void refuse(const std::string& line, const Error& error);
    void wait_for_the_end();

    int fd_;
    int wake_fd_;
    EventWriter& writer_;
    JobQueue& queue_;
    std::function<void()> on_overdue_;
    bool shutdown_ = false;
    std::thread thread_;
};

} // namespace quantscope::worker
