// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/run_comparison.h"

#include "engine/stats/bootstrap.h"
#include "engine/stats/difference.h"
#include "engine/stats/holm.h"
#include "engine/stats/mcnemar.h"
#include "ui/numbers/run_numbers.h"

#include <cmath>
#include <limits>
#include <vector>

namespace quantscope::analysis {

bool canShowEquivalence(int problems) {
    return problems > 0 && 1.0 - std::pow(stats::default_alpha, 1.0 / problems) <= equivalenceMargin;
}

QString notComparedVerdict() {
    return QStringLiteral("not compared: no problem is scored in both runs");
}

storage::Comparison compareRuns(const RunData& baseline, const RunData& other) {
    const QMap<QString, TaskResult> before = taskResults(baseline.samples);
    const QMap<QString, TaskResult> after = taskResults(other.samples);
    storage::Comparison comparison;
    comparison.baselineRunId = baseline.run.id;
    std::vector<double> beforeFractions;
    std::vector<double> afterFractions;
    double sum = 0.0;
    for (auto it = after.begin(); it != after.end(); ++it) {
        const auto match = before.find(it.key());
        if (match == before.end()) {
            continue;
        }
        beforeFractions.push_back(match->fraction());
        afterFractions.push_back(it->fraction());
        sum += it->fraction() - match->fraction();
        if (match->solved() && !it->solved()) {
            comparison.lostTasks << it.key();
        } else if (!match->solved() && it->solved()) {
            comparison.gainedTasks << it.key();
        }
    }
    comparison.problemsCompared = static_cast<int>(afterFractions.size());
    if (comparison.problemsCompared == 0) {
        return comparison;
    }
    comparison.passDelta = sum / comparison.problemsCompared;
    if (const auto interval = stats::paired_bootstrap_interval(beforeFractions, afterFractions)) {
        comparison.passDeltaInterval = {interval->low, interval->high};
    }
    comparison.mcnemarP = stats::mcnemar_exact(static_cast<int>(comparison.lostTasks.size()),
                                               static_cast<int>(comparison.gainedTasks.size()));
    return comparison;
}

void judge(QList<storage::Comparison>& comparisons) {
    std::vector<double> pValues;
    for (const storage::Comparison& comparison : comparisons) {
        if (comparison.problemsCompared > 0) {
            pValues.push_back(comparison.mcnemarP);
        }
    }
    const std::vector<double> corrected = stats::holm_adjust(pValues);
    std::size_t next = 0;
    for (storage::Comparison& comparison : comparisons) {
        if (comparison.problemsCompared == 0) {
            comparison.verdict = notComparedVerdict();
            continue;
        }
        comparison.mcnemarPHolm = corrected[next++];
        const stats::Interval interval{comparison.passDeltaInterval.low, comparison.passDeltaInterval.high};
        const stats::Difference difference =
            stats::judge_difference(interval, equivalenceMargin, comparison.mcnemarPHolm);
        const bool overreaches =
            difference == stats::Difference::equivalent && !canShowEquivalence(comparison.problemsCompared);
        const double margin = overreaches ? std::numeric_limits<double>::quiet_NaN() : equivalenceMargin;
        comparison.verdict =
            QString::fromStdString(stats::verdict_sentence(interval, margin, comparison.mcnemarPHolm));
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
