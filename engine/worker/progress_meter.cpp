// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/progress_meter.h"

namespace quantscope::worker {

ProgressMeter::ProgressMeter(EventWriter& writer, std::string run, std::string measure, int total)
    : writer_(writer), run_(std::move(run)), measure_(std::move(measure)), total_(total),
      start_(std::chrono::steady_clock::now()),
      ticker_(std::chrono::milliseconds(400), [this] { report(); }) {}

void ProgressMeter::report() {
    const double elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    protocol::ProgressEvent progress;
    progress.run = run_;
    progress.measure = measure_;
    progress.done = done_;
    progress.total = total_;
    if (progress.done > 0) {
        progress.eta_s = elapsed_s * (total_ - progress.done) / progress.done;
    }
    progress.tokens_per_s = elapsed_s > 0.0 ? static_cast<double>(tokens_) / elapsed_s : 0.0;
    writer_.send(std::move(progress));
}

} // namespace quantscope::worker
