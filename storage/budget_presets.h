// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/values.h"

namespace quantscope::storage {

/// A budget that is offered by name.
struct BudgetPreset {
    QString id; ///< what the command line's --budget takes; empty: no limits
    Budget budget;
};

/// The presets in the order in which they are shown; the first has no limits.
/// Sources: MLPerf Inference, Llama-2-70B interactive (TTFT and TPOT p99); inline completion: 200 ms for the
/// prompt and 30 tokens.
QList<BudgetPreset> budgetPresets();

/// Whether two budgets constrain alike, whatever their names.
bool sameLimits(const Budget& a, const Budget& b);

} // namespace quantscope::storage
