// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/run_figures.h"

namespace quantscope::analysis {

/// The margin of "equivalent", stated before any data: 2 points of pass@1.
inline constexpr double equivalenceMargin = 0.02;

/// Whether so many problems can bear out "equivalent" at all: were the true share of flipped problems as
/// large as the margin, seeing none among `problems` would have to be rarer than 5 % (1 - 0.05^(1/n) <=
/// margin: 149 problems for 2 points). Without this, a handful of problems that all agree would give an
/// interval of no width and a false claim.
bool canShowEquivalence(int problems);

/// What `Comparison::verdict` says where the two runs have no scored problem in common.
QString notComparedVerdict();

/// Two runs side by side before the campaign's correction: on the problems that both have scored;
/// verdict and mcnemarPHolm are not set yet.
storage::Comparison compareRuns(const RunData& baseline, const RunData& other);

/// Holm's correction over all comparisons that have problems in common, and with it the verdicts.
void judge(QList<storage::Comparison>& comparisons);

/// TPOT p50 and memory as ratios of the baseline's, where both are known.
void addRatios(storage::Comparison& comparison, const storage::RunSummary& baseline,
               const storage::RunSummary& other);

} // namespace quantscope::analysis
