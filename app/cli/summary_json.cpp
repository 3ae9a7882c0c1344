// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/summary_json.h"

#include "storage/spec_json.h"
#include "storage/words.h"
#include "ui/numbers/run_numbers.h"

#include <QJsonArray>

namespace quantscope::cli {
namespace {

QJsonArray intervalJson(const storage::Interval& interval) {
    return {interval.low, interval.high};
}

template<class T>
QJsonValue orNull(const std::optional<T>& value) {
    return value ? QJsonValue(*value) : QJsonValue();
}

/// Limits at 95 % each; null where there are too few rounds.
QJsonArray limitsJson(const storage::QuantileLimits& limits) {
    return {orNull(limits.low), orNull(limits.high)};
}

QJsonValue percentilesJson(const storage::Percentiles& percentiles) {
    if (percentiles.count == 0) {
        return {};
    }
    return QJsonObject{{QStringLiteral("count"), percentiles.count},
                       {QStringLiteral("rounds"), percentiles.rounds},
                       {QStringLiteral("p50"), percentiles.p50},
                       {QStringLiteral("p90"), percentiles.p90},
                       {QStringLiteral("p99"), percentiles.p99},
                       {QStringLiteral("p50_limits"), limitsJson(percentiles.p50Limits)},
                       {QStringLiteral("p90_limits"), limitsJson(percentiles.p90Limits)},
                       {QStringLiteral("p99_limits"), limitsJson(percentiles.p99Limits)}};
}

QJsonObject numbersJson(const QMap<QString, double>& numbers) {
    QJsonObject json;
    for (auto it = numbers.begin(); it != numbers.end(); ++it) {
        json.insert(it.key(), it.value());
    }
    return json;
}

QJsonValue comparisonJson(const std::optional<storage::Comparison>& comparison) {
    if (!comparison) {
        return {};
    }
    const bool exact = comparison->test == storage::PairedTest::ExactMcNemar;
    return QJsonObject{
        {QStringLiteral("baseline_run_id"), comparison->baselineRunId},
        {QStringLiteral("problems_compared"), comparison->problemsCompared},
        {QStringLiteral("pass_delta"), comparison->passDelta},
        {QStringLiteral("pass_delta_interval"), intervalJson(comparison->passDeltaInterval)},
        {QStringLiteral("test"), ui::testName(comparison->test)},
        {QStringLiteral("p"), comparison->p},
        {QStringLiteral("p_holm"), comparison->pHolm},
        {QStringLiteral("mcnemar_p"), exact ? QJsonValue(comparison->p) : QJsonValue()},
        {QStringLiteral("mcnemar_p_holm"), exact ? QJsonValue(comparison->pHolm) : QJsonValue()},
        {QStringLiteral("comparisons"), comparison->comparisons},
        {QStringLiteral("margin"), comparison->margin},
        {QStringLiteral("lost_tasks"), QJsonArray::fromStringList(comparison->lostTasks)},
        {QStringLiteral("gained_tasks"), QJsonArray::fromStringList(comparison->gainedTasks)},
        {QStringLiteral("verdict"), ui::verdictSentence(*comparison)},
        {QStringLiteral("verdict_word"), ui::verdictWord(comparison->verdict)},
        {QStringLiteral("tpot_ratio"), orNull(comparison->tpotRatio)},
        {QStringLiteral("memory_ratio"), orNull(comparison->memoryRatio)},
    };
}

/// true inside, false outside, null where that is not known.
QJsonValue insideJson(storage::BudgetVerdict verdict) {
    if (verdict == storage::BudgetVerdict::Inside || verdict == storage::BudgetVerdict::Outside) {
        return verdict == storage::BudgetVerdict::Inside;
    }
    return {};
}

QJsonArray limitChecksJson(const QList<storage::LimitCheck>& checks) {
    QJsonArray list;
    for (const storage::LimitCheck& check : checks) {
        list.append(QJsonObject{{QStringLiteral("name"), check.name},
                                {QStringLiteral("limit_ms"), check.limitMs},
                                {QStringLiteral("p99_ms"), check.measured.p99},
                                {QStringLiteral("p99_limits"), limitsJson(check.measured.p99Limits)},
                                {QStringLiteral("rounds"), check.measured.rounds},
                                {QStringLiteral("rounds_needed"), check.roundsNeeded},
                                {QStringLiteral("verdict"), ui::budgetWord(check.verdict)}});
    }
    return list;
}

void insertAccuracy(QJsonObject& json, const storage::RunSummary& run) {
    const bool scored = run.samplesScored > 0;
    json.insert(QStringLiteral("problems_total"), run.problemsTotal);
    json.insert(QStringLiteral("samples_stored"), run.samplesStored);
    json.insert(QStringLiteral("samples_scored"), run.samplesScored);
    json.insert(QStringLiteral("samples_passed"), run.samplesPassed);
    json.insert(QStringLiteral("samples_timed_out"), run.samplesTimedOut);
    json.insert(QStringLiteral("pass_at_1"), scored ? QJsonValue(run.passAt1) : QJsonValue());
    json.insert(QStringLiteral("pass_at_1_interval"),
                scored ? QJsonValue(intervalJson(run.passAt1Interval)) : QJsonValue());
    QJsonObject passAtK;
    for (auto it = run.passAtK.begin(); it != run.passAtK.end(); ++it) {
        passAtK.insert(QString::number(it.key()), it.value());
    }
    json.insert(QStringLiteral("pass_at_k"), passAtK);
}

} // namespace

QJsonObject campaignJson(const storage::Campaign& campaign) {
    return {
        {QStringLiteral("id"), campaign.id},
        {QStringLiteral("name"), campaign.spec.name},
        {QStringLiteral("status"), storage::word(campaign.status)},
        {QStringLiteral("created_at"), storage::timeText(campaign.createdAt)},
        {QStringLiteral("spec"), storage::specToJson(campaign.spec)},
        {QStringLiteral("quantscope_version"), campaign.quantscopeVersion},
        {QStringLiteral("worker_version"), campaign.workerVersion},
        {QStringLiteral("protocol_id"), campaign.protocolId},
        {QStringLiteral("model_hash"), campaign.modelHash},
        {QStringLiteral("problems_hash"), campaign.problemsHash},
        {QStringLiteral("device"), campaign.deviceName},
        {QStringLiteral("device_detail"), campaign.deviceDetail},
        {QStringLiteral("host"), campaign.hostDetail},
    };
}

QJsonObject runJson(const storage::RunSummary& run) {
    const QString budget = ui::budgetWord(run.budget);
    QJsonObject json{
        {QStringLiteral("id"), run.run.id},
        {QStringLiteral("scheme"), run.run.schemeId},
        {QStringLiteral("label"), run.run.schemeLabel},
        {QStringLiteral("batch_size"), run.run.batchSize},
        {QStringLiteral("eval_status"), storage::word(run.run.evalStatus)},
        {QStringLiteral("latency_status"), storage::word(run.run.latencyStatus)},
        {QStringLiteral("error"), run.run.error},
        {QStringLiteral("partial"), run.partial},
        {QStringLiteral("ttft_ms"), percentilesJson(run.ttftMs)},
        {QStringLiteral("tpot_ms"), percentilesJson(run.tpotMs)},
        {QStringLiteral("itl_ms"), percentilesJson(run.itlMs)},
        {QStringLiteral("e2e_ms"), percentilesJson(run.e2eMs)},
        {QStringLiteral("tokens_per_s"),
         run.tokensPerSecond > 0.0 ? QJsonValue(run.tokensPerSecond) : QJsonValue()},
        {QStringLiteral("metrics"), numbersJson(run.metrics)},
        {QStringLiteral("inside_budget"), insideJson(run.budget)},
        {QStringLiteral("budget"), budget.isEmpty() ? QJsonValue() : QJsonValue(budget)},
        {QStringLiteral("budget_limits"), limitChecksJson(run.limitChecks)},
        {QStringLiteral("comparison"), comparisonJson(run.comparison)},
    };
    insertAccuracy(json, run);
    return json;
}

QJsonObject summaryJson(const storage::CampaignSummary& summary) {
    QJsonArray runs;
    for (const storage::RunSummary& run : summary.runs) {
        runs.append(runJson(run));
    }
    return {
        {QStringLiteral("format"), QStringLiteral("quantscope.campaign/1")},
        {QStringLiteral("campaign"), campaignJson(summary.campaign)},
        {QStringLiteral("baseline_run_id"), summary.baselineRunId},
        {QStringLiteral("headline"), summary.headline},
        {QStringLiteral("runs"), runs},
    };
}

} // namespace quantscope::cli
