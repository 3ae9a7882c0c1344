// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/run_figures.h"

namespace quantscope::analysis {

/// The margin of "equivalent", stated before any data: 2 points of pass@1.
inline constexpr double equivalenceMargin = 0.02;

/// What `Comparison::verdict` says where the two runs have no scored problem in common.
QString notComparedVerdict();

/// Two runs side by side before the campaign's correction: on the problems that both have scored.
struct RawComparison {
    storage::Comparison comparison; ///< verdict and mcnemarPHolm not set yet
    int commonProblems = 0;
};
RawComparison compareRuns(const RunData& baseline, const RunData& other);

/// Holm's correction over all comparisons that have problems in common, and with it the verdicts.
void judge(QList<RawComparison>& comparisons);

/// TPOT p50 and memory as ratios of the baseline's, where both are known.
void addRatios(storage::Comparison& comparison, const storage::RunSummary& baseline,
               const storage::RunSummary& other);

} // namespace quantscope::analysis
