// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/canonical_check.h"
#include "engine/telemetry/device_reading.h"
#include "engine/worker/event_writer.h"
#include "engine/worker/job_queue.h"
#include "engine/worker/model_host.h"

#include <functional>

namespace quantscope::worker {

/// What is known about the problems that were judged last: the runs of a campaign share them.
struct CheckedProblems {
    std::string key; ///< of the problems' text
    std::vector<eval::ProblemCheck> checks;
};

/// What a run works with.
struct RunContext {
    EventWriter& writer;
    ModelHost& host;
    eval::VerdictPool& verdicts;
    const eval::Sandbox* sandbox; ///< of `verdicts`; null where there is none
    CheckedProblems& checked;
    telemetry::ReadDevice read_device; ///< empty where there is no telemetry
};

/// Loads the run's scheme if it was put away or is too small, checks the batch size, and reports the
/// session's bytes and context as `metric`.
Expected<LoadedScheme*> begin_run(RunContext& context, const JobRun& run, const SessionNeed& need);

/// Sends what ends a run: nothing more than `done` "ok", or the error and "failed", or "cancelled".
void end_run(EventWriter& writer, const std::string& run, const char* measure, const Expected<>& result);

/// Calls `work`; what it throws (memory that ran out, a defect) becomes an error, so that the worker lives
/// on.
Expected<> guarded(const std::function<Expected<>()>& work);

/// An `eval` request: generation and verdicts side by side; every sample is sent once, when its verdict is
/// known.
Expected<> run_eval(RunContext& context, const protocol::EvalRequest& request, const JobRun& run);

/// A `latency` request: cells in memory together take turns, the others follow one by one. Sends the cells'
/// `done`. The error, if any, is one that makes the device unusable.
Expected<> run_latency(RunContext& context, const protocol::LatencyRequest& request,
                       const std::vector<JobRun>& runs);

} // namespace quantscope::worker
