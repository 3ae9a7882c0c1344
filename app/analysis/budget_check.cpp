// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/budget_check.h"

#include "ui/numbers/format.h"

#include <algorithm>

namespace quantscope::analysis {

QList<LimitCheck> checkBudget(const storage::Budget& budget, const storage::RunSummary& run) {
    QList<LimitCheck> checks;
    if (run.ttftMs.count == 0 || run.tpotMs.count == 0) {
        return checks;
    }
    if (budget.ttftP99Ms) {
        checks << LimitCheck{QStringLiteral("TTFT p99"), *budget.ttftP99Ms, run.ttftMs.p99};
    }
    if (budget.tpotP99Ms) {
        checks << LimitCheck{QStringLiteral("TPOT p99"), *budget.tpotP99Ms, run.tpotMs.p99};
    }
    if (budget.e2eP99Ms) {
        const double estimate = run.ttftMs.p99 + std::max(0, budget.e2eTokens - 1) * run.tpotMs.p99;
        checks << LimitCheck{QStringLiteral("end to end p99 of %1 tokens").arg(budget.e2eTokens),
                             *budget.e2eP99Ms, estimate};
    }
    return checks;
}

std::optional<bool> insideBudget(const storage::Budget& budget, const storage::RunSummary& run) {
    const QList<LimitCheck> checks = checkBudget(budget, run);
    if (checks.isEmpty()) {
        return std::nullopt;
    }
    return std::all_of(checks.begin(), checks.end(), [](const LimitCheck& check) { return check.kept(); });
}

QString budgetWords(const storage::Budget& budget, const storage::RunSummary& run) {
    const QList<LimitCheck> checks = checkBudget(budget, run);
    if (checks.isEmpty()) {
        return {};
    }
    QStringList broken;
    for (const LimitCheck& check : checks) {
        if (!check.kept()) {
            broken << QStringLiteral("%1 %2, limit %3")
                          .arg(check.name, ui::formatMs(check.measuredMs), ui::formatMs(check.limitMs));
        }
    }
    return broken.isEmpty()
               ? QStringLiteral("inside the budget")
               : QStringLiteral("outside the budget (%1)").arg(broken.join(QStringLiteral("; ")));
}

} // namespace quantscope::analysis
