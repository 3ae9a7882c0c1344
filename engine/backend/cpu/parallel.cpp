// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <sched.h>
#include <thread>
#include <vector>

namespace quantscope::cpu {
namespace {

/// How long an idle helper looks out for the next job before it sleeps: the layers of a prefill follow one
/// another in less.
constexpr auto spin_time = std::chrono::microseconds(50);

struct Job {
    std::int64_t count;
    void (*body)(const void*, std::int64_t);
    const void* context;
    std::atomic<std::int64_t> next{0};
    int helpers = 0; ///< guarded by Pool::mutex_

    void work() {
        for (std::int64_t i = next++; i < count; i = next++) {
            body(context, i);
        }
    }
};

thread_local int this_thread_index = 0;

class Pool {
  public:
    explicit Pool(int threads) {
        for (int i = 1; i < threads; ++i) {
            helpers_.emplace_back([this, i](const std::stop_token& stop) {
                this_thread_index = i;
                help(stop);
            });
        }
    }
    ~Pool() {
        for (std::jthread& helper : helpers_) {
            helper.request_stop();
        }
        const std::scoped_lock lock(mutex_);
        ++epoch_;
        wake_.notify_all();
    }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    int size() const { return static_cast<int>(helpers_.size()) + 1; }

    void run(Job& job) {
        // One job at a time; a second caller, or a body that calls again, works alone.
        const std::unique_lock busy(busy_, std::try_to_lock);
        if (!busy.owns_lock() || this_thread_index != 0 || helpers_.empty()) {
            job.work();
            return;
        }
        {
            const std::scoped_lock lock(mutex_);
            job_ = &job;
            ++epoch_;
        }
        wake_.notify_all();
        job.work();
        std::unique_lock lock(mutex_);
        job_ = nullptr;
        done_.wait(lock, [&] { return job.helpers == 0; });
    }

  private:
    void help(const std::stop_token& stop) {
        std::uint64_t seen = 0;
        while (!stop.stop_requested()) {
            spin(seen);
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return epoch_ != seen; });
            seen = epoch_;
            Job* const job = job_;
            if (job == nullptr) {
                continue;
            }
            ++job->helpers;
            lock.unlock();
            job->work();
            lock.lock();
            if (--job->helpers == 0) {
                done_.notify_one();
            }
        }
    }

    void spin(std::uint64_t seen) const {
        const auto end = std::chrono::steady_clock::now() + spin_time;
        while (epoch_ == seen && std::chrono::steady_clock::now() < end) {
            std::this_thread::yield();
        }
    }

    std::mutex busy_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    std::atomic<std::uint64_t> epoch_{0}; ///< changed under mutex_
    Job* job_ = nullptr;                  ///< guarded by mutex_
    std::vector<std::jthread> helpers_;
};

int wanted_threads() {
    if (const char* const text = std::getenv("QUANTSCOPE_THREADS")) {
        const long wanted = std::strtol(text, nullptr, 10);
        if (wanted >= 1) {
            return static_cast<int>(std::min(wanted, 1024L));
        }
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return CPU_COUNT(&set);
    }
    return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

Pool& pool() {
    static Pool instance(wanted_threads());
    return instance;
}

} // namespace

int thread_count() {
    return pool().size();
}

int thread_index() {
    return this_thread_index;
}

void run_parallel(std::int64_t count, void (*body)(const void*, std::int64_t), const void* context) {
    Job job{.count = count, .body = body, .context = context};
    pool().run(job);
}

} // namespace quantscope::cpu
