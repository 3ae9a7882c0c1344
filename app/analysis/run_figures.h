// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

namespace quantscope::analysis {

/// What is stored of one run, as far as figures need it.
struct RunData {
    storage::Run run;
    QList<storage::SampleVerdict> samples;
    QList<storage::LatencySample> latencies;
    QMap<QString, double> metrics;
    int revision = 0; ///< another one whenever samples, latencies or metrics differ
};

/// Scored samples of one problem.
struct TaskResult {
    int scored = 0;
    int passed = 0;
    [[nodiscard]] double fraction() const { return scored > 0 ? static_cast<double>(passed) / scored : 0.0; }
    /// What counts as passed where yes or no is asked: at least half of the samples.
    [[nodiscard]] bool solved() const { return scored > 0 && 2 * passed >= scored; }
};

/// Results by task id; tasks without a scored sample are absent.
using TaskResults = QMap<QString, TaskResult>;
TaskResults taskResults(const QList<storage::SampleVerdict>& samples);

/// The figures of one run on its own: no comparison. pass@1 is the mean of the unbiased estimator
/// over the problems scored so far; its interval takes a problem, not a sample, as the unit that was drawn.
/// `results`: taskResults() of its samples.
storage::RunSummary runFigures(const RunData& data, const TaskResults& results,
                               const storage::CampaignSpec& spec, int problemsTotal);

} // namespace quantscope::analysis
