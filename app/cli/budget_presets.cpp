// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/budget_presets.h"

namespace quantscope::cli {

storage::Budget budgetPreset(const QString& name) {
    storage::Budget budget;
    if (name == QLatin1String("interactive")) {
        budget.name = QStringLiteral("Interactive chat (MLPerf)");
        budget.ttftP99Ms = 450.0;
        budget.tpotP99Ms = 40.0;
    } else if (name == QLatin1String("inline")) {
        budget.name = QStringLiteral("Inline completion");
        budget.e2eP99Ms = 200.0;
        budget.e2eTokens = 30;
    }
    return budget;
}

} // namespace quantscope::cli
