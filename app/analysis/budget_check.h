// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

namespace quantscope::analysis {

/// One limit of a budget beside what a run took.
struct LimitCheck {
    QString name; ///< "TTFT p99"
    double limitMs = 0.0;
    double measuredMs = 0.0;
    [[nodiscard]] bool kept() const { return measuredMs <= limitMs; }
};

/// Every limit that the budget sets, for a run with latency data; empty without limits or without data.
/// The end-to-end limit is for `e2eTokens` output tokens, which a latency run rarely has, so the measured
/// side is TTFT p99 + (e2eTokens - 1) * TPOT p99: an upper estimate, as a request is seldom slow in both.
QList<LimitCheck> checkBudget(const storage::Budget& budget, const storage::RunSummary& run);

/// Whether all limits are kept; unset when there is nothing to judge.
std::optional<bool> insideBudget(const storage::Budget& budget, const storage::RunSummary& run);

/// "inside the budget", or "outside the budget (TPOT p99 52.1 ms, limit 40 ms)"; empty when not judged.
QString budgetWords(const storage::Budget& budget, const storage::RunSummary& run);

} // namespace quantscope::analysis
