// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/run_figures.h"

#include "engine/eval/pass_at_k.h"
#include "engine/stats/percentile.h"
#include "engine/stats/wilson.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace quantscope::analysis {
namespace {

void addAccuracy(storage::RunSummary& summary, const QList<storage::Sample>& samples) {
    summary.samplesStored = static_cast<int>(samples.size());
    for (const storage::Sample& sample : samples) {
        summary.samplesScored += sample.verdict != storage::Verdict::Unscored ? 1 : 0;
        summary.samplesPassed += sample.verdict == storage::Verdict::Passed ? 1 : 0;
        summary.samplesTimedOut += sample.verdict == storage::Verdict::TimedOut ? 1 : 0;
    }
    std::vector<eval::ProblemCounts> problems;
    for (const TaskResult& task : taskResults(samples)) {
        problems.push_back({task.scored, task.passed});
    }
    for (const auto& [k, value] : eval::mean_pass_at_k(problems)) {
        summary.passAtK.insert(k, value);
    }
    summary.passAt1 = summary.passAtK.value(1);
    const int count = static_cast<int>(problems.size());
    const int passed = static_cast<int>(std::lround(summary.passAt1 * count));
    const stats::Interval interval = stats::wilson_interval(passed, count);
    summary.passAt1Interval = {interval.low, interval.high};
}

void addLatency(storage::RunSummary& summary, const QList<storage::LatencySample>& latencies) {
    QList<double> ttft;
    QList<double> tpot;
    QList<double> itl;
    QList<double> e2e;
    for (const storage::LatencySample& request : latencies) {
        ttft << request.ttftMs;
        e2e << request.e2eMs;
        itl << request.itlMs;
        if (const auto value = tpotMs(request)) {
            tpot << *value;
        }
    }
    summary.ttftMs = percentilesOf(ttft);
    summary.tpotMs = percentilesOf(tpot);
    summary.itlMs = percentilesOf(itl);
    summary.e2eMs = percentilesOf(e2e);
    summary.tokensPerSecond = tokensPerSecond(latencies);
}

} // namespace

QMap<QString, TaskResult> taskResults(const QList<storage::Sample>& samples) {
    QMap<QString, TaskResult> tasks;
    for (const storage::Sample& sample : samples) {
        if (sample.verdict == storage::Verdict::Unscored) {
            continue;
        }
        TaskResult& task = tasks[sample.taskId];
        ++task.scored;
        task.passed += sample.verdict == storage::Verdict::Passed ? 1 : 0;
    }
    return tasks;
}

std::optional<double> tpotMs(const storage::LatencySample& request) {
    if (request.outputTokens < 2) {
        return std::nullopt;
    }
    return (request.e2eMs - request.ttftMs) / (request.outputTokens - 1);
}

storage::Percentiles percentilesOf(const QList<double>& values) {
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    const auto at = [&](double percent) { return stats::percentile_of_sorted(sorted, percent); };
    const auto p50 = at(50.0);
    if (!p50) {
        return {};
    }
    return {static_cast<int>(sorted.size()), *p50, at(90.0).value_or(0.0), at(99.0).value_or(0.0)};
}

double tokensPerSecond(const QList<storage::LatencySample>& latencies) {
    QMap<int, double> roundMs;
    double tokens = 0.0;
    for (const storage::LatencySample& request : latencies) {
        double& slowest = roundMs[request.round];
        slowest = std::max(slowest, request.e2eMs);
        tokens += request.outputTokens;
    }
    double totalMs = 0.0;
    for (const double ms : std::as_const(roundMs)) {
        totalMs += ms;
    }
    return totalMs > 0.0 ? tokens * 1000.0 / totalMs : 0.0;
}

storage::RunSummary runFigures(const RunData& data, const storage::CampaignSpec& spec, int problemsTotal) {
    storage::RunSummary summary;
    summary.run = data.run;
    summary.problemsTotal = problemsTotal;
    summary.metrics = data.metrics;
    addAccuracy(summary, data.samples);
    addLatency(summary, data.latencies);
    summary.partial =
        spec.evalEnabled &&
        (summary.samplesStored < problemsTotal * spec.sampling.samplesPerProblem || problemsTotal == 0);
    return summary;
}

} // namespace quantscope::analysis
