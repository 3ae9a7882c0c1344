// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/engine/protocol/worker_client.h"

#include <memory>

/// The real worker on the shipped demo model.
namespace quantscope {

inline constexpr const char* kWorkerBinary = QUANTSCOPE_BIN_DIR "/quantscope-worker";

inline std::unique_ptr<WorkerClient> start_worker(const QStringList& arguments = {"serve"}) {
    return std::make_unique<WorkerClient>(kWorkerBinary, arguments, QProcessEnvironment::systemEnvironment());
}

inline protocol::LoadRequest demo_load(std::vector<std::string> schemes, int max_batch = 4) {
    protocol::LoadRequest load;
    load.model = "demo";
    load.schemes = std::move(schemes);
    load.backend = "cpu";
    load.max_batch = max_batch;
    load.context_length = 1024;
    return load;
}

inline protocol::EvalRequest demo_eval(const std::string& run, const std::string& scheme, int limit,
                                       int batch_size) {
    protocol::EvalRequest eval;
    eval.run = run;
    eval.scheme = scheme;
    eval.problems = "demo";
    eval.limit = limit;
    eval.batch_size = batch_size;
    eval.sampling.max_new_tokens = 128;
    return eval;
}

/// Waits for a run's `done` and returns its status; empty if it does not come.
inline std::string status_of(WorkerClient& client, const std::string& run, int timeout_ms = 60000) {
    const auto done = client.wait_for<protocol::DoneEvent>(
        [&](const protocol::DoneEvent& event) { return event.run == run; }, timeout_ms);
    return done ? done->status : std::string();
}

} // namespace quantscope
