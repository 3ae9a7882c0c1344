// SPDX-License-Identifier: Apache-2.0
#include "storage/budget_presets.h"

namespace quantscope::storage {

QList<BudgetPreset> budgetPresets() {
    return {{QString(), {QString(), std::nullopt, std::nullopt, std::nullopt, 30}},
            {QStringLiteral("interactive"),
             {QStringLiteral("Interactive chat (MLPerf)"), 450.0, 40.0, std::nullopt, 30}},
            {QStringLiteral("inline"),
             {QStringLiteral("Inline completion"), std::nullopt, std::nullopt, 200.0, 30}}};
}

bool sameLimits(const Budget& a, const Budget& b) {
    return a.ttftP99Ms == b.ttftP99Ms && a.tpotP99Ms == b.tpotP99Ms && a.e2eP99Ms == b.e2eP99Ms &&
           (!a.e2eP99Ms || a.e2eTokens == b.e2eTokens);
}

} // namespace quantscope::storage
