// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/run_tool_tip.h"

#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

namespace quantscope::ui {

namespace {

QString row(const QString& name, const QString& value) {
    return QStringLiteral("<tr><td>%1&nbsp;&nbsp;</td><td align=\"right\">%2</td></tr>")
        .arg(name, value.toHtmlEscaped());
}

QString latencyText(const storage::Percentiles& latency) {
    return QStringLiteral("%1 / %2, n = %3")
        .arg(formatNumber(latency.p50), formatMs(latency.p99), QString::number(latency.count));
}

} // namespace

QString runToolTip(const storage::RunSummary& run) {
    QString rows;
    if (run.samplesScored > 0) {
        rows += row(QStringLiteral("pass@1"), formatPercent(run.passAt1));
        rows += row(QStringLiteral("95 % interval"), formatInterval(run.passAt1Interval));
        rows += row(QStringLiteral("passed"),
                    QStringLiteral("%1 of %2 scored").arg(run.samplesPassed).arg(run.samplesScored));
    }
    if (const auto form = promptForm(run))
        rows += row(QStringLiteral("prompts"), promptFormText(*form));
    if (const auto* comparison = passComparison(run)) {
        rows += row(QStringLiteral("to the baseline"),
                    QStringLiteral("%1 points [%2]")
                        .arg(formatPoints(comparison->passDelta),
                             formatPointsInterval(comparison->passDeltaInterval)));
        rows += row(QStringLiteral("p (Holm)"), formatP(comparison->pHolm));
    }
    if (run.ttftMs.count > 0)
        rows += row(QStringLiteral("TTFT p50 / p99"), latencyText(run.ttftMs));
    if (run.tpotMs.count > 0)
        rows += row(QStringLiteral("TPOT p50 / p99"), latencyText(run.tpotMs));
    if (const auto rate = tokensPerSecond(run))
        rows += row(QStringLiteral("tokens/s"), formatNumber(*rate));
    if (const auto memory = memoryParts(run))
        rows += row(QStringLiteral("memory"), formatBytes(memory->total()));
    if (const auto joules = energyPerToken(run))
        rows += row(QStringLiteral("energy"), formatNumber(*joules) + QStringLiteral(" J/token"));
    if (run.budget != storage::BudgetVerdict::NotJudged)
        rows += row(QStringLiteral("budget"), budgetWord(run.budget));
    for (const storage::LimitCheck& check : run.limitChecks)
        rows += row(check.name, QStringLiteral("%1, limit %2, %3 rounds")
                                    .arg(p99Text(check.measured), formatLimit(check.limitMs))
                                    .arg(check.measured.rounds));
    if (run.partial)
        rows += row(
            QStringLiteral("samples"),
            QStringLiteral("partial: %1 stored, %2 problems").arg(run.samplesStored).arg(run.problemsTotal));
    return QStringLiteral("<b>%1</b><table cellspacing=\"0\">%2</table>")
        .arg(runName(run.run).toHtmlEscaped(), rows);
}

} // namespace quantscope::ui
