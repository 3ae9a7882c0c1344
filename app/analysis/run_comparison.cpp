// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/run_comparison.h"

#include "engine/stats/difference.h"
#include "engine/stats/holm.h"
#include "ui/numbers/run_numbers.h"

#include <QMap>

#include <algorithm>
#include <vector>

namespace quantscope::analysis {
namespace {

storage::DifferenceVerdict verdictOf(stats::Difference difference) {
    switch (difference) {
    case stats::Difference::better: return storage::DifferenceVerdict::Better;
    case stats::Difference::worse: return storage::DifferenceVerdict::Worse;
    case stats::Difference::equivalent: return storage::DifferenceVerdict::Equivalent;
    case stats::Difference::not_distinguishable: break;
    }
    return storage::DifferenceVerdict::NotDistinguishable;
}

} // namespace

PairedRuns pairRuns(storage::Id baselineRunId, const TaskResults& baseline, const TaskResults& other) {
    PairedRuns pair;
    storage::Comparison& comparison = pair.comparison;
    comparison.baselineRunId = baselineRunId;
    std::vector<double> before;
    std::vector<double> after;
    for (auto it = other.begin(); it != other.end(); ++it) {
        const auto match = baseline.find(it.key());
        if (match == baseline.end()) {
            continue;
        }
        before.push_back(match->fraction());
        after.push_back(it->fraction());
        if (match->solved() && !it->solved()) {
            comparison.lostTasks << it.key();
        } else if (!match->solved() && it->solved()) {
            comparison.gainedTasks << it.key();
        }
    }
    comparison.problemsCompared = static_cast<int>(after.size());
    pair.difference = stats::paired_difference(before, after);
    if (pair.difference) {
        comparison.passDelta = pair.difference->mean;
        comparison.p = pair.difference->p();
        comparison.test = pair.difference->test == stats::PairedTest::exact_mcnemar
                              ? storage::PairedTest::ExactMcNemar
                              : storage::PairedTest::PairedT;
    }
    return pair;
}

bool sameVerdicts(const TaskResults& a, const TaskResults& b) {
    for (auto it = a.begin(); it != a.end(); ++it) {
        const auto match = b.find(it.key());
        if (match != b.end() && match->scored == it->scored && match->passed != it->passed) {
            return false;
        }
    }
    return true;
}

void judge(const QList<FamilyMember>& family, const IntervalAt& intervalAt) {
    QMap<int, const PairedRuns*> speakers;
    for (const FamilyMember& member : family) {
        if (!member.pair->difference) {
            continue;
        }
        const PairedRuns*& speaker = speakers[member.group];
        if (speaker == nullptr || member.pair->difference->n > speaker->difference->n) {
            speaker = member.pair;
        }
    }
    std::vector<double> pValues;
    QList<int> counted;
    for (auto it = speakers.begin(); it != speakers.end(); ++it) {
        if (it.value()->difference->can_be_significant(stats::default_alpha)) {
            counted << it.key();
            pValues.push_back(it.value()->comparison.p);
        }
    }
    const std::vector<stats::HolmResult> corrected = stats::holm(pValues, stats::default_alpha);
    for (const FamilyMember& member : family) {
        storage::Comparison& comparison = member.pair->comparison;
        if (!member.pair->difference) {
            comparison.verdict = storage::DifferenceVerdict::NotCompared;
            continue;
        }
        const double p = comparison.p;
        const qsizetype place = counted.indexOf(member.group);
        const stats::HolmResult holm = place >= 0 ? corrected[static_cast<std::size_t>(place)]
                                                  : stats::HolmResult{p, stats::default_alpha, 1};
        // A fellow with fewer problems yet has a p of its own, at its group's level.
        comparison.pHolm =
            p == speakers[member.group]->comparison.p ? holm.adjusted_p : std::min(1.0, holm.divisor * p);
        comparison.comparisons = place >= 0 ? static_cast<int>(counted.size()) : 1;
        const stats::Interval interval = intervalAt(*member.pair, holm.level);
        comparison.passDeltaInterval = {interval.low, interval.high};
        comparison.verdict = verdictOf(stats::judge_difference(interval, comparison.margin));
    }
}

void addRatios(storage::Comparison& comparison, const storage::RunSummary& baseline,
               const storage::RunSummary& other) {
    if (baseline.tpotMs.count > 0 && other.tpotMs.count > 0 && baseline.tpotMs.p50 > 0.0) {
        comparison.tpotRatio = other.tpotMs.p50 / baseline.tpotMs.p50;
    }
    const auto before = ui::memoryParts(baseline);
    const auto after = ui::memoryParts(other);
    if (before && after && before->total() > 0.0) {
        comparison.memoryRatio = after->total() / before->total();
    }
}

} // namespace quantscope::analysis
