// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/run_figures.h"
#include "engine/stats/paired_difference.h"

#include <QList>

#include <functional>

namespace quantscope::analysis {

/// Two runs side by side, before the campaign's correction.
struct PairedRuns {
    storage::Comparison comparison; ///< pHolm, interval, comparisons and verdict are not set yet
    std::optional<stats::PairedDifference> difference; ///< unset where no problem is scored in both
};

/// On the problems that both runs have scored.
PairedRuns pairRuns(storage::Id baselineRunId, const TaskResults& baseline, const TaskResults& other);

/// Whether nothing tells the two apart: each task that is scored in both as often has the same number of
/// passes. Two runs without a task in common agree.
bool sameVerdicts(const TaskResults& a, const TaskResults& b);

/// One comparison of a family that is judged together.
struct FamilyMember {
    PairedRuns* pair = nullptr;
    /// Members of the same group ask the same question of the same verdicts (batch sizes of one scheme on an
    /// engine whose results do not depend on the batch) and count once; the one with the most problems
    /// speaks for the group.
    int group = 0;
};

/// Computes a pair's interval at a level; a cache may stand behind it.
using IntervalAt = std::function<stats::Interval(const PairedRuns& pair, double level)>;

/// Holm's correction over the groups that could differ significantly at all, the intervals at its levels and
/// the verdicts read off them. The others (too few flips for any p below 0.05) are not counted, and their
/// intervals hold each for itself at 95 %.
void judge(const QList<FamilyMember>& family, const IntervalAt& intervalAt);

/// TPOT p50 and memory as ratios of the baseline's, where both are known.
void addRatios(storage::Comparison& comparison, const storage::RunSummary& baseline,
               const storage::RunSummary& other);

} // namespace quantscope::analysis
