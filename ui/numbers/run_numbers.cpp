// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/numbers/run_numbers.h"

#include "storage/model_name.h"
#include "ui/numbers/format.h"
#include "ui/numbers/visible_text.h"

#include <QFileInfo>

#include <algorithm>
#include <array>
#include <cmath>

namespace quantscope::ui {

using storage::RunStatus;

std::optional<MemoryParts> memoryParts(const storage::RunSummary& run) {
    const auto& metrics = run.metrics;
    if (!metrics.contains(QStringLiteral("linear_weight_bytes")))
        return std::nullopt;
    MemoryParts parts;
    parts.weights = metrics.value(QStringLiteral("linear_weight_bytes")) +
                    metrics.value(QStringLiteral("other_weight_bytes"));
    parts.kvCache = metrics.value(QStringLiteral("kv_cache_bytes"));
    parts.workspace = metrics.value(QStringLiteral("workspace_bytes"));
    return parts;
}

std::optional<double> bytesPerWeight(const storage::RunSummary& run) {
    const double bytes = run.metrics.value(QStringLiteral("linear_weight_bytes"));
    const double count = run.metrics.value(QStringLiteral("linear_weight_count"));
    if (bytes <= 0 || count <= 0)
        return std::nullopt;
    return bytes / count;
}

std::optional<PromptForm> promptForm(const storage::RunSummary& run) {
    const auto value = [&](const char* name) { return run.metrics.value(QLatin1String(name)); };
    if (!run.metrics.contains(QStringLiteral("prompt_boundaries")))
        return std::nullopt;
    return PromptForm{value("prompt_stripped") > 0.5, qRound(value("prompt_boundaries_kept")),
                      qRound(value("prompt_boundaries"))};
}

QString promptFormText(const PromptForm& form) {
    return QStringLiteral("%1, %2 of %3 end where a token ends")
        .arg(form.stripped ? QStringLiteral("stripped at the end") : QStringLiteral("as in the file"))
        .arg(form.kept)
        .arg(form.problems);
}

std::optional<double> tokensPerSecond(const storage::RunSummary& run) {
    if (run.tokensPerSecond <= 0)
        return std::nullopt;
    return run.tokensPerSecond;
}

std::optional<double> energyPerToken(const storage::RunSummary& run) {
    const double joules = run.metrics.value(QStringLiteral("energy_per_token_j"));
    return joules > 0 ? std::optional(joules) : std::nullopt;
}

bool anyEnergy(const storage::CampaignSummary& summary) {
    return std::any_of(summary.runs.begin(), summary.runs.end(),
                       [](const auto& run) { return energyPerToken(run).has_value(); });
}

QString deviceReadings(const QMap<QString, double>& values) {
    constexpr std::array<std::pair<const char*, const char*>, 3> shown{
        {{"power_w", "W"}, {"sm_clock_mhz", "MHz"}, {"temperature_c", "°C"}}};
    QStringList words;
    for (const auto& [name, unit] : shown)
        if (const auto it = values.find(QString::fromLatin1(name)); it != values.end())
            words += QStringLiteral("%1 %2").arg(std::lround(it.value())).arg(QString::fromUtf8(unit));
    return words.join(QStringLiteral(" · "));
}

QString schemeName(const storage::Run& run) {
    return visibleText(run.schemeLabel.isEmpty() ? run.schemeId : run.schemeLabel);
}

QString runName(const storage::Run& run) {
    return QStringLiteral("%1, batch %2").arg(schemeName(run), QString::number(run.batchSize));
}

RunStatus overallStatus(const storage::Run& run, const storage::CampaignSpec& spec) {
    if (!spec.evalEnabled)
        return run.latencyStatus;
    if (!spec.latency.enabled)
        return run.evalStatus;
    const std::array both{run.evalStatus, run.latencyStatus};
    for (const RunStatus status :
         {RunStatus::Failed, RunStatus::Running, RunStatus::Cancelled, RunStatus::Partial})
        if (std::find(both.begin(), both.end(), status) != both.end())
            return status;
    return both[0] == both[1] ? both[0] : RunStatus::Partial;
}

const storage::Comparison* passComparison(const storage::RunSummary& run) {
    return run.comparison && run.comparison->problemsCompared > 0 ? &*run.comparison : nullptr;
}

QString marginWords(const storage::Comparison& comparison) {
    const QString points = QString::number(100.0 * comparison.margin, 'g', 3);
    return QStringLiteral("within the margin of %1 %2")
        .arg(points, points == QLatin1String("1") ? QStringLiteral("point") : QStringLiteral("points"));
}

QString verdictWord(storage::DifferenceVerdict verdict) {
    switch (verdict) {
    case storage::DifferenceVerdict::Better: return QStringLiteral("better");
    case storage::DifferenceVerdict::Worse: return QStringLiteral("worse");
    case storage::DifferenceVerdict::Equivalent: return QStringLiteral("equivalent");
    case storage::DifferenceVerdict::NotDistinguishable: return QStringLiteral("not distinguishable");
    case storage::DifferenceVerdict::NotCompared: break;
    }
    return QStringLiteral("not compared");
}

QString verdictSentence(const storage::Comparison& comparison) {
    const QString word = verdictWord(comparison.verdict);
    switch (comparison.verdict) {
    case storage::DifferenceVerdict::Equivalent: return word + u' ' + marginWords(comparison);
    case storage::DifferenceVerdict::NotDistinguishable: return word + QStringLiteral(" on these problems");
    case storage::DifferenceVerdict::NotCompared:
        return word + QStringLiteral(": no problem is scored in both runs");
    default: return word;
    }
}

QString testName(storage::PairedTest test) {
    return test == storage::PairedTest::ExactMcNemar ? QStringLiteral("exact McNemar")
                                                     : QStringLiteral("paired t");
}

QString overComparisons(const storage::Comparison& comparison) {
    return comparison.comparisons > 1 ? QStringLiteral(", over %1 comparisons").arg(comparison.comparisons)
                                      : QString();
}

QString budgetWord(storage::BudgetVerdict verdict) {
    switch (verdict) {
    case storage::BudgetVerdict::Inside: return QStringLiteral("inside");
    case storage::BudgetVerdict::Outside: return QStringLiteral("outside");
    case storage::BudgetVerdict::NotEnoughRequests: return QStringLiteral("not enough requests");
    case storage::BudgetVerdict::NotJudged: break;
    }
    return {};
}

QString p99Text(const storage::Percentiles& latency) {
    const auto limit = [](const std::optional<double>& value) {
        return value ? formatNumber(*value) : QStringLiteral("–");
    };
    return QStringLiteral("%1 [%2, %3]")
        .arg(formatNumber(latency.p99), limit(latency.p99Limits.low), limit(latency.p99Limits.high));
}

const storage::RunSummary* findRun(const storage::CampaignSummary& summary, storage::Id runId) {
    const auto it = std::find_if(summary.runs.begin(), summary.runs.end(),
                                 [runId](const auto& run) { return run.run.id == runId; });
    return it == summary.runs.end() ? nullptr : &*it;
}

bool isBaseline(const storage::CampaignSummary& summary, storage::Id runId) {
    return runId == summary.baselineRunId ||
           std::any_of(summary.runs.begin(), summary.runs.end(), [runId](const auto& run) {
               return run.comparison && run.comparison->baselineRunId == runId;
           });
}

bool usesDemoProblems(const storage::CampaignSpec& spec) {
    return spec.problems == QLatin1String("demo");
}

bool usesDemoModel(const storage::CampaignSpec& spec) {
    return spec.model == QLatin1String("demo");
}

QString problemsName(const storage::CampaignSpec& spec) {
    return usesDemoProblems(spec) ? QStringLiteral("Quantscope demo problems (not HumanEval)")
                                  : QFileInfo(spec.problems).fileName();
}

QString modelName(const storage::CampaignSpec& spec) {
    if (usesDemoModel(spec))
        return QStringLiteral("Quantscope demo model");
    if (spec.model.isEmpty())
        return {};
    return storage::modelFolderName(spec.model);
}

QString joinWords(const QStringList& words) {
    if (words.size() < 2)
        return words.join(QString());
    return words.mid(0, words.size() - 1).join(QStringLiteral(", ")) + QStringLiteral(" and ") + words.last();
}

} // namespace quantscope::ui
