// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/problems.h"
#include "engine/eval/verdict.h"

#include <chrono>
#include <functional>
#include <memory>

namespace quantscope::eval {

struct VerdictPoolOptions {
    int threads = 2; ///< verdicts at a time; at least 1
    /// A first run that takes longer is rerun alone. HumanEval's own limit.
    std::chrono::milliseconds first_wall_limit{3000};
    /// The run that counts for a timeout: no other verdict runs beside it. More generous than HumanEval's 3
    /// s, because the machine may be generating at the same time.
    std::chrono::milliseconds rerun_wall_limit{10000};
    /// Give the stored verdict when the very same program was passed or failed before: greedy completions of
    /// batch-invariant schemes repeat from batch size to batch size.
    bool reuse_verdicts = true;
};

/// Computes verdicts on threads of its own. Submitting never blocks. Reruns of timeouts wait until nothing
/// else is queued or running, then run one at a time.
class VerdictPool {
  public:
    /// Called once for each submission, on one of the pool's threads, several at a time. It may submit; it
    /// must not destroy the pool, wait for it or throw.
    using Callback = std::function<void(const Verdict&)>;

    /// Without a sandbox the pool fails closed: every verdict is `unscored`, with the error's message.
    explicit VerdictPool(Expected<Sandbox> sandbox, const VerdictPoolOptions& options = {});
    /// Cancels what is queued and running, delivers those verdicts as unscored, and joins the threads.
    ~VerdictPool();
    VerdictPool(const VerdictPool&) = delete;
    VerdictPool& operator=(const VerdictPool&) = delete;

    /// `completion` must be cut at its stop already (cut_at_stop()). `check`: of the problem; where it cannot
    /// be judged the verdict is `unscored` with the reason. Judged apart, a program whose values do not go
    /// through the channel as they are is judged together after all, and a pass is then not `proven`.
    void submit(const Problem& problem, std::string_view completion, Callback callback,
                const ProblemCheck& check = {});
    /// Any program; `passed` when it runs to its end.
    void submit_program(std::string program, Callback callback);
    /// Everything submitted so far ends as `unscored`, "cancelled"; running programs are killed. Returns at
    /// once; what is submitted later runs normally.
    void cancel();
    /// Blocks until every callback has returned. False if that takes longer than `timeout`.
    bool wait_idle(std::chrono::milliseconds timeout = std::chrono::hours(24));
    /// Submissions whose callback has not returned yet.
    [[nodiscard]] std::size_t pending() const;

  private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace quantscope::eval
