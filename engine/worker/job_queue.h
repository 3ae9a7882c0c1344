// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/messages.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

namespace quantscope::worker {

/// One run of a job, with its own way to be cancelled.
struct JobRun {
    std::string run, scheme;
    std::stop_source stop;
};

/// A queued request: a load (no runs), an eval (one run) or a latency measurement (one run a cell).
struct Job {
    std::variant<protocol::LoadRequest, protocol::EvalRequest, protocol::LatencyRequest> request;
    std::vector<JobRun> runs;
    std::stop_source stop; ///< of the job as a whole
};

/// A run that was cancelled before it began: its `done` is still owed.
struct DroppedRun {
    std::string run, measure;
};

/// Jobs in order of arrival: pushed and cancelled by the reader thread, run by the main thread. Thread-safe.
class JobQueue {
  public:
    void push(Job job);
    /// Waits for the next job; nothing once the queue is closed. It counts as running until the next pop().
    std::optional<Job> pop();
    /// No more jobs: what is queued is forgotten, what runs is asked to stop.
    void close();
    /// Cancels a run wherever it is, or everything (empty). Runs still in the queue are taken out of it.
    std::vector<DroppedRun> cancel(const std::string& run);

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> queue_;
    std::vector<JobRun> running_;
    std::stop_source running_job_;
    bool closed_ = false;
};

} // namespace quantscope::worker
