// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/budget_check.h"

#include "app/analysis/latency_figures.h"
#include "engine/stats/quantile_limits.h"
#include "ui/numbers/format.h"

#include <algorithm>

namespace quantscope::analysis {
namespace {

using storage::BudgetVerdict;
using storage::LimitCheck;

BudgetVerdict verdictOf(const storage::QuantileLimits& p99, double limitMs) {
    if (p99.high && *p99.high <= limitMs) {
        return BudgetVerdict::Inside;
    }
    if (p99.low && *p99.low > limitMs) {
        return BudgetVerdict::Outside;
    }
    return BudgetVerdict::NotEnoughRequests;
}

/// What is missing for a verdict.
QString missingWords(const LimitCheck& check) {
    const storage::Percentiles& measured = check.measured;
    if (measured.rounds < check.roundsNeeded) {
        return QStringLiteral("%1 after %2, %3 are needed: --latency-requests %3")
            .arg(check.name,
                 measured.rounds == 1 ? QStringLiteral("1 round")
                                      : QStringLiteral("%1 rounds").arg(measured.rounds),
                 QString::number(check.roundsNeeded));
    }
    return QStringLiteral("%1 is between %2 and %3 after %4 rounds, limit %5")
        .arg(check.name, ui::formatMs(measured.p99Limits.low.value_or(0.0)),
             ui::formatMs(measured.p99Limits.high.value_or(0.0)), QString::number(measured.rounds),
             ui::formatLimit(check.limitMs));
}

} // namespace

QList<LimitCheck> checkBudget(const storage::Budget& budget, const QList<storage::LatencySample>& requests) {
    QList<LimitCheck> checks;
    const auto check = [&](const QString& name, const std::optional<double>& limitMs, const auto& valueOf) {
        if (!limitMs) {
            return;
        }
        const storage::Percentiles measured = percentilesOf(byRound(requests, valueOf));
        if (measured.count > 0) {
            checks << LimitCheck{name, *limitMs, measured, stats::values_for_upper_limit(99.0),
                                 verdictOf(measured.p99Limits, *limitMs)};
        }
    };
    check(QStringLiteral("TTFT p99"), budget.ttftP99Ms,
          [](const storage::LatencySample& request) { return std::optional(request.ttftMs); });
    check(QStringLiteral("TPOT p99"), budget.tpotP99Ms, tpotMs);
    check(QStringLiteral("end to end p99 of %1 tokens").arg(budget.e2eTokens), budget.e2eP99Ms,
          [&](const storage::LatencySample& request) {
              const auto tpot = tpotMs(request);
              return tpot ? std::optional(request.ttftMs + std::max(0, budget.e2eTokens - 1) * *tpot)
                          : std::nullopt;
          });
    return checks;
}

BudgetVerdict budgetVerdict(const QList<LimitCheck>& checks) {
    const auto any = [&](BudgetVerdict verdict) {
        return std::any_of(checks.begin(), checks.end(),
                           [&](const LimitCheck& check) { return check.verdict == verdict; });
    };
    if (checks.isEmpty()) {
        return BudgetVerdict::NotJudged;
    }
    if (any(BudgetVerdict::Outside)) {
        return BudgetVerdict::Outside;
    }
    return any(BudgetVerdict::NotEnoughRequests) ? BudgetVerdict::NotEnoughRequests : BudgetVerdict::Inside;
}

QString budgetWords(const QList<LimitCheck>& checks) {
    const BudgetVerdict verdict = budgetVerdict(checks);
    QStringList reasons;
    for (const LimitCheck& check : checks) {
        if (check.verdict != verdict) {
            continue;
        }
        if (verdict == BudgetVerdict::Outside) {
            reasons << QStringLiteral("%1 %2, limit %3")
                           .arg(check.name, ui::formatMs(check.measured.p99), ui::formatMs(check.limitMs));
        } else if (verdict == BudgetVerdict::NotEnoughRequests) {
            reasons << missingWords(check);
        }
    }
    const QString why = reasons.join(QStringLiteral("; "));
    switch (verdict) {
    case BudgetVerdict::Inside: return QStringLiteral("inside the budget");
    case BudgetVerdict::Outside: return QStringLiteral("outside the budget (%1)").arg(why);
    case BudgetVerdict::NotEnoughRequests:
        return QStringLiteral("not enough requests to judge the budget (%1)").arg(why);
    case BudgetVerdict::NotJudged: break;
    }
    return {};
}

} // namespace quantscope::analysis
