// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/run_figures.h"

#include "app/analysis/budget_check.h"
#include "app/analysis/latency_figures.h"
#include "engine/eval/pass_at_k.h"
#include "engine/stats/wilson.h"

#include <algorithm>
#include <vector>

namespace quantscope::analysis {
namespace {

void addAccuracy(storage::RunSummary& summary, const QList<storage::SampleVerdict>& samples,
                 const TaskResults& results) {
    summary.samplesStored = static_cast<int>(samples.size());
    for (const storage::SampleVerdict& sample : samples) {
        summary.samplesScored += sample.verdict != storage::Verdict::Unscored ? 1 : 0;
        summary.samplesPassed += sample.verdict == storage::Verdict::Passed ? 1 : 0;
        summary.samplesTimedOut += sample.verdict == storage::Verdict::TimedOut ? 1 : 0;
    }
    std::vector<eval::ProblemCounts> problems;
    for (const TaskResult& task : results) {
        problems.push_back({task.scored, task.passed});
    }
    for (const auto& [k, value] : eval::mean_pass_at_k(problems)) {
        summary.passAtK.insert(k, value);
    }
    summary.passAt1 = summary.passAtK.value(1);
    const int count = static_cast<int>(problems.size());
    const stats::Interval interval =
        stats::wilson_interval(std::min(summary.passAt1 * count, static_cast<double>(count)), count);
    summary.passAt1Interval = {interval.low, interval.high};
}

} // namespace

TaskResults taskResults(const QList<storage::SampleVerdict>& samples) {
    TaskResults tasks;
    for (const storage::SampleVerdict& sample : samples) {
        if (sample.verdict == storage::Verdict::Unscored) {
            continue;
        }
        TaskResult& task = tasks[sample.taskId];
        ++task.scored;
        task.passed += sample.verdict == storage::Verdict::Passed ? 1 : 0;
    }
    return tasks;
}

storage::RunSummary runFigures(const RunData& data, const TaskResults& results,
                               const storage::CampaignSpec& spec, int problemsTotal) {
    storage::RunSummary summary;
    summary.run = data.run;
    summary.problemsTotal = problemsTotal;
    summary.metrics = data.metrics;
    addAccuracy(summary, data.samples, results);
    addLatency(summary, data.latencies);
    summary.limitChecks = checkBudget(spec.budget, data.latencies);
    summary.budget = budgetVerdict(summary.limitChecks);
    summary.partial =
        spec.evalEnabled &&
        (summary.samplesStored < problemsTotal * spec.sampling.samplesPerProblem || problemsTotal == 0);
    return summary;
}

} // namespace quantscope::analysis
