// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

namespace quantscope::analysis {

/// Every limit that the budget sets, for a run with latency data; empty without limits or without data.
/// The end-to-end limit is for `e2eTokens` output tokens, which a latency run rarely has, so each request
/// is taken to go on at its own pace: TTFT + (e2eTokens - 1) * TPOT.
QList<storage::LimitCheck> checkBudget(const storage::Budget& budget,
                                       const QList<storage::LatencySample>& requests);

/// Of all limits together: outside where one is exceeded, inside where all are kept.
storage::BudgetVerdict budgetVerdict(const QList<storage::LimitCheck>& checks);

/// "inside the budget", "outside the budget (TPOT p99 52.1 ms, limit 40 ms)", "not enough requests to judge
/// the budget (TPOT p99 after 5 rounds, 299 are needed: --latency-requests 299)"; empty when not judged.
QString budgetWords(const QList<storage::LimitCheck>& checks);

} // namespace quantscope::analysis
