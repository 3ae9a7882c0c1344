// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

namespace quantscope::analysis {

/// All that is stored of one run.
struct RunData {
    storage::Run run;
    QList<storage::Sample> samples;
    QList<storage::LatencySample> latencies;
    QMap<QString, double> metrics;
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
QMap<QString, TaskResult> taskResults(const QList<storage::Sample>& samples);

/// Milliseconds per output token of one request: (e2e - TTFT) / (n - 1), the mean of its gaps; nullopt for n
/// < 2.
std::optional<double> tpotMs(const storage::LatencySample& request);

/// Percentiles of values as they are, never of means.
storage::Percentiles percentilesOf(const QList<double>& values);

/// Output tokens of all slots over the time of their rounds, a round lasting as long as its slowest request.
double tokensPerSecond(const QList<storage::LatencySample>& latencies);

/// The figures of one run on its own: no comparison, no budget. pass@1 is the mean of the unbiased estimator
/// over the problems scored so far; its interval takes a problem, not a sample, as the unit that was drawn.
storage::RunSummary runFigures(const RunData& data, const storage::CampaignSpec& spec, int problemsTotal);

} // namespace quantscope::analysis
