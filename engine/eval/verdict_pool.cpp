// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/verdict_pool.h"

#include "engine/eval/child_process.h"
#include "engine/eval/prompt_protocol.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace quantscope::eval {
namespace {

struct Job {
    std::string program;
    VerdictPool::Callback callback;
    bool rerun = false;
    std::string refusal{}; ///< why it cannot be judged, if so
    bool apart = false;    ///< by `problem` and `completion`
    Problem problem{};
    std::string completion{};
    [[nodiscard]] std::string key() const { return (apart ? "apart " : "together ") + program; }
};

/// An eventfd that is readable once raised; every run watches the one that was current when it began.
struct CancelEvent {
    Fd fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    void raise() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t n =
            ::write(fd.get(), &one, sizeof one); // cannot block: the counter was 0
    }
};

} // namespace

class VerdictPool::State {
  public:
    State(Expected<Sandbox> sandbox, const VerdictPoolOptions& options)
        : sandbox_(std::move(sandbox)), options_(options), cancel_(std::make_shared<CancelEvent>()) {
        for (int i = 0; i < std::max(1, options_.threads); ++i)
            threads_.emplace_back([this] { work(); });
    }

    ~State() {
        cancel();
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        for (std::thread& thread : threads_)
            thread.join();
    }

    void submit(Job job) {
        {
            const std::lock_guard lock(mutex_);
            queue_.push_back(std::move(job));
            ++pending_;
        }
        changed_.notify_all();
    }

    void cancel() {
        const std::lock_guard lock(mutex_);
        cancel_->raise();
        cancel_ = std::make_shared<CancelEvent>();
        std::move(queue_.begin(), queue_.end(), std::back_inserter(cancelled_));
        std::move(reruns_.begin(), reruns_.end(), std::back_inserter(cancelled_));
        queue_.clear();
        reruns_.clear();
        changed_.notify_all();
    }

    bool wait_idle(std::chrono::milliseconds timeout) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, timeout, [this] { return pending_ == 0; });
    }

    std::size_t pending() const {
        const std::lock_guard lock(mutex_);
        return pending_;
    }

  private:
    /// The queue to take from next, or none: a rerun only starts, and stays, alone.
    std::deque<Job>* next_queue() {
        if (!cancelled_.empty())
            return &cancelled_;
        if (rerunning_)
            return nullptr;
        if (!queue_.empty())
            return &queue_;
        return running_ == 0 && !reruns_.empty() ? &reruns_ : nullptr;
    }

    void work() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return next_queue() != nullptr || (stopping_ && pending_ == 0); });
            std::deque<Job>* queue = next_queue();
            if (queue == nullptr)
                return;
            const bool was_cancelled = queue == &cancelled_;
            Job job = std::move(queue->front());
            queue->pop_front();
            if (was_cancelled) {
                Verdict verdict;
                verdict.detail = "cancelled";
                deliver(lock, job, verdict);
                continue;
            }
            run(lock, std::move(job));
        }
    }

    void run(std::unique_lock<std::mutex>& lock, Job job) {
        const std::shared_ptr<CancelEvent> event = cancel_;
        const auto known = known_.find(job.key());
        if (known != known_.end() && job.refusal.empty()) {
            const Verdict verdict = known->second;
            deliver(lock, job, verdict);
            return;
        }
        ++running_;
        rerunning_ = job.rerun;
        lock.unlock();
        Verdict verdict = compute(job, *event);
        lock.lock();
        --running_;
        if (job.rerun)
            rerunning_ = false;
        const bool cancelled = event != cancel_;
        if (verdict.kind == VerdictKind::timed_out && !job.rerun && !cancelled) {
            job.rerun = true;
            reruns_.push_back(std::move(job));
            changed_.notify_all();
            return;
        }
        const bool final = verdict.kind == VerdictKind::passed || verdict.kind == VerdictKind::failed;
        if (options_.reuse_verdicts && final && known_.size() < max_known)
            known_.emplace(job.key(), verdict);
        deliver(lock, job, verdict);
    }

    Verdict compute(const Job& job, const CancelEvent& event) const {
        if (!sandbox_ || !job.refusal.empty()) {
            Verdict verdict;
            verdict.detail = sandbox_ ? job.refusal : sandbox_.error().message;
            return verdict;
        }
        const auto limit = job.rerun ? options_.rerun_wall_limit : options_.first_wall_limit;
        Verdict verdict = job.apart ? run_apart(job, limit, event) : run_together(job, limit, event, {});
        verdict.attempts = job.rerun ? 2 : 1;
        return verdict;
    }

    Verdict run_apart(const Job& job, std::chrono::milliseconds limit, const CancelEvent& event) const {
        const SandboxOutcome outcome =
            sandbox_->run_apart(job.problem, job.completion, limit, event.fd.get());
        if (!outcome.undecided.empty())
            return run_together(job, limit, event, outcome.undecided);
        Verdict verdict = judge(outcome, sandbox_->config(), limit);
        verdict.proven = verdict.kind == VerdictKind::passed;
        return verdict;
    }

    Verdict run_together(const Job& job, std::chrono::milliseconds limit, const CancelEvent& event,
                         const std::string& reason) const {
        Verdict verdict = judge(sandbox_->run(job.program, limit, event.fd.get()), sandbox_->config(), limit);
        if (verdict.kind == VerdictKind::passed)
            verdict.detail = unproven_detail(reason);
        return verdict;
    }

    void deliver(std::unique_lock<std::mutex>& lock, Job& job, const Verdict& verdict) {
        changed_.notify_all(); // what stopped running may let a rerun begin
        lock.unlock();
        job.callback(verdict);
        job.callback = nullptr; // its captures die before pending() says that it is done
        lock.lock();
        --pending_;
        changed_.notify_all();
    }

    static constexpr std::size_t max_known = 4096;

    const Expected<Sandbox> sandbox_;
    const VerdictPoolOptions options_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> queue_;
    std::deque<Job> reruns_;
    std::deque<Job> cancelled_;
    std::unordered_map<std::string, Verdict> known_; ///< by program
    std::shared_ptr<CancelEvent> cancel_;
    std::size_t pending_ = 0;
    int running_ = 0;
    bool rerunning_ = false;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

VerdictPool::VerdictPool(Expected<Sandbox> sandbox, const VerdictPoolOptions& options)
    : state_(std::make_unique<State>(std::move(sandbox), options)) {}

VerdictPool::~VerdictPool() = default;

void VerdictPool::submit(const Problem& problem, std::string_view completion, Callback callback,
                         const ProblemCheck& check) {
    Job job{verdict_program(problem, completion), std::move(callback)};
    if (!check.judging)
        job.refusal = unjudged_detail(check);
    if (check.judging == Judging::apart) {
        job.apart = true;
        job.problem = problem;
        job.completion = completion;
    }
    state_->submit(std::move(job));
}

void VerdictPool::submit_program(std::string program, Callback callback) {
    state_->submit({std::move(program), std::move(callback)});
}

void VerdictPool::cancel() {
    state_->cancel();
}

bool VerdictPool::wait_idle(std::chrono::milliseconds timeout) {
    return state_->wait_idle(timeout);
}

std::size_t VerdictPool::pending() const {
    return state_->pending();
}

} // namespace quantscope::eval
