// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/job_queue.h"

namespace quantscope::worker {
namespace {

const char* measure_of(const Job& job) {
    return std::holds_alternative<protocol::EvalRequest>(job.request) ? "eval" : "latency";
}

} // namespace

void JobQueue::push(Job job) {
    {
        const std::lock_guard lock(mutex_);
        if (closed_) {
            return;
        }
        queue_.push_back(std::move(job));
    }
    changed_.notify_one();
}

std::optional<Job> JobQueue::pop() {
    std::unique_lock lock(mutex_);
    running_.clear();
    running_job_ = std::stop_source();
    changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (closed_) {
        return std::nullopt;
    }
    Job job = std::move(queue_.front());
    queue_.pop_front();
    running_ = job.runs;
    running_job_ = job.stop;
    return job;
}

void JobQueue::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        queue_.clear();
        running_job_.request_stop();
        for (JobRun& run : running_) {
            run.stop.request_stop();
        }
    }
    changed_.notify_one();
}

std::vector<DroppedRun> JobQueue::cancel(const std::string& run) {
    const std::lock_guard lock(mutex_);
    const auto meant = [&](const JobRun& candidate) { return run.empty() || candidate.run == run; };
    if (run.empty()) {
        running_job_.request_stop();
    }
    for (JobRun& candidate : running_) {
        if (meant(candidate)) {
            candidate.stop.request_stop();
        }
    }
    std::vector<DroppedRun> dropped;
    for (Job& job : queue_) {
        for (const JobRun& candidate : job.runs) {
            if (meant(candidate)) {
                dropped.push_back({candidate.run, measure_of(job)});
            }
        }
        std::erase_if(job.runs, meant);
    }
    std::erase_if(queue_, [&](const Job& job) {
        const bool is_load = std::holds_alternative<protocol::LoadRequest>(job.request);
        return job.runs.empty() && (!is_load || run.empty());
    });
    return dropped;
}

} // namespace quantscope::worker
