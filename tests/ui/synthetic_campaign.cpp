// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/synthetic_campaign.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace quantscope::test {

using namespace storage;

namespace {

struct SchemeNumbers {
    const char* id;
    const char* label;
    const char* summary;
    int weightBits, activationBits;
    int passed[2];    ///< of 164, at batch 1 and 8
    double tpotMs[2]; ///< p50
    double ttftMs[2];
    double bytesPerWeight;
};

const std::array<SchemeNumbers, 5> schemes{{
    {"fp16",
     "FP16",
     "Weights and activations in 16 bits: the baseline.",
     16,
     16,
     {118, 118},
     {4.78, 9.6},
     {31.2, 188.0},
     2.0},
    {"int8",
     "INT8 (W8A8)",
     "8-bit weights per channel, 8-bit activations per token.",
     8,
     8,
     {117, 117},
     {2.61, 5.3},
     {17.9, 96.0},
     1.004},
    {"w4a8",
     "W4A8",
     "4-bit weights per channel, 8-bit activations per token.",
     4,
     8,
     {109, 109},
     {1.92, 5.0},
     {18.6, 99.0},
     0.504},
    {"w4a4-rtn",
     "W4A4 round-to-nearest",
     "4-bit weights and activations, rounded as they are: expected to collapse.",
     4,
     4,
     {11, 11},
     {1.88, 4.8},
     {18.1, 97.0},
     0.504},
    {"w4a4-rot",
     "W4A4 rotated",
     "4-bit weights and activations after Hadamard rotations (QuaRot).",
     4,
     4,
     {96, 96},
     {2.05, 5.2},
     {19.4, 103.0},
     0.504},
}};

constexpr int problemCount = 164;
constexpr double linearWeights = 8.4e6;

Interval wilson(int passed, int scored) {
    if (scored == 0)
        return {0.0, 1.0};
    const double z = 1.959964;
    const double n = scored;
    const double p = passed / n;
    const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Percentiles around(double p50) {
    const double p99 = p50 * 1.31;
    return {400, p50, p50 * 1.09, p99, 400, {p50, p50}, {p50 * 1.08, p50 * 1.1}, {p99 * 0.99, p99 * 1.01}};
}

Comparison comparisonOf(int passed, Id baseline) {
    Comparison comparison;
    comparison.baselineRunId = baseline;
    const int lost = 118 - passed + 3;
    comparison.problemsCompared = problemCount;
    comparison.passDelta = (passed - 118) / double(problemCount);
    comparison.passDeltaInterval = {comparison.passDelta - 0.041, comparison.passDelta + 0.039};
    comparison.p = passed > 112 ? 0.75 : passed > 100 ? 0.064 : 0.0004;
    comparison.pHolm = std::min(1.0, comparison.p * 4);
    for (int i = 0; i < lost; ++i)
        comparison.lostTasks += QStringLiteral("Demo/%1").arg(i * 3 % problemCount);
    comparison.gainedTasks = {QStringLiteral("Demo/7"), QStringLiteral("Demo/41"), QStringLiteral("Demo/90")};
    if (comparison.pHolm > 0.05) // an interval that says the same
        comparison.passDeltaInterval.high = std::max(comparison.passDeltaInterval.high, 0.004);
    comparison.comparisons = 4;
    comparison.verdict = passed < 105 ? DifferenceVerdict::Worse : DifferenceVerdict::NotDistinguishable;
    return comparison;
}

RunSummary runOf(std::size_t scheme, std::size_t batch, Id id) {
    const SchemeNumbers& numbers = schemes[scheme];
    RunSummary summary;
    summary.run.id = id;
    summary.run.campaignId = 7;
    summary.run.schemeId = QString::fromLatin1(numbers.id);
    summary.run.schemeLabel = QString::fromLatin1(numbers.label);
    summary.run.batchSize = batch == 0 ? 1 : 8;
    summary.run.evalStatus = RunStatus::Done;
    summary.run.latencyStatus = RunStatus::Done;
    summary.problemsTotal = problemCount;
    summary.samplesStored = summary.samplesScored = problemCount;
    summary.samplesPassed = numbers.passed[batch];
    summary.samplesTimedOut = 1;
    summary.passAt1 = numbers.passed[batch] / double(problemCount);
    summary.passAt1Interval = wilson(numbers.passed[batch], problemCount);
    summary.passAtK = {{1, summary.passAt1}};
    summary.ttftMs = around(numbers.ttftMs[batch]);
    summary.tpotMs = around(numbers.tpotMs[batch]);
    summary.itlMs = around(numbers.tpotMs[batch]);
    summary.e2eMs = around(numbers.ttftMs[batch] + 31 * numbers.tpotMs[batch]);
    summary.tokensPerSecond = (batch == 0 ? 1 : 8) * 1000.0 / numbers.tpotMs[batch];
    summary.metrics = {{QStringLiteral("linear_weight_bytes"), linearWeights * numbers.bytesPerWeight},
                       {QStringLiteral("linear_weight_count"), linearWeights},
                       {QStringLiteral("other_weight_bytes"), 2.1e6},
                       {QStringLiteral("kv_cache_bytes"), batch == 0 ? 1.6e6 : 12.6e6},
                       {QStringLiteral("workspace_bytes"), batch == 0 ? 0.9e6 : 2.7e6},
                       {QStringLiteral("energy_per_token_j"), // at 500 W
                        numbers.tpotMs[batch] * (batch == 0 ? 0.5 : 0.5 / 8)}};
    summary.budget = summary.tpotMs.p99 <= 8.0 ? BudgetVerdict::Inside : BudgetVerdict::Outside;
    summary.limitChecks = {{QStringLiteral("TPOT p99"), 8.0, summary.tpotMs, 299, summary.budget}};
    if (scheme != 0)
        summary.comparison = comparisonOf(numbers.passed[batch], 101 + static_cast<Id>(batch));
    return summary;
}

void forget(RunSummary& run) {
    run.samplesStored = run.samplesScored = run.samplesPassed = run.samplesTimedOut = 0;
    run.passAt1 = 0;
    run.passAt1Interval = {0, 1};
    run.passAtK.clear();
    run.ttftMs = run.tpotMs = run.itlMs = run.e2eMs = {};
    run.tokensPerSecond = 0;
    run.metrics.clear();
    run.budget = BudgetVerdict::NotJudged;
    run.limitChecks.clear();
    run.comparison.reset();
    run.run.evalStatus = run.run.latencyStatus = RunStatus::Planned;
    run.partial = true;
}

void halve(RunSummary& run) {
    run.samplesStored = run.samplesScored = 71;
    run.samplesPassed = run.samplesPassed * 71 / problemCount;
    run.passAt1 = run.samplesPassed / 71.0;
    run.passAt1Interval = wilson(run.samplesPassed, 71);
    run.run.evalStatus = RunStatus::Running;
    run.comparison.reset();
    run.partial = true;
}

} // namespace

CampaignSummary syntheticCampaign() {
    CampaignSummary summary;
    Campaign& campaign = summary.campaign;
    campaign.id = 7;
    campaign.spec.name = QStringLiteral("Demo campaign");
    campaign.spec.model = campaign.spec.problems = QStringLiteral("demo");
    for (const SchemeNumbers& scheme : schemes)
        campaign.spec.schemes += QString::fromLatin1(scheme.id);
    campaign.spec.batchSizes = {1, 8};
    campaign.spec.sampling.maxNewTokens = 256;
    campaign.spec.budget = {QStringLiteral("Custom"), 250.0, 8.0, std::nullopt, 30};
    campaign.createdAt = QDateTime(QDate(2026, 11, 23), QTime(14, 5), Qt::UTC);
    campaign.status = RunStatus::Done;
    campaign.quantscopeVersion = campaign.workerVersion = QStringLiteral("0.1.0");
    campaign.modelHash = QStringLiteral("5f1d0c9be2a7744e8d0f");
    campaign.problemsHash = QStringLiteral("a1139f00de5511b6c3a2");
    campaign.deviceName = QStringLiteral("Intel Xeon Platinum 8481C");
    campaign.deviceDetail = QStringLiteral("2 cores, AVX-512 VNNI");
    campaign.hostDetail = QStringLiteral("Debian GNU/Linux 12, Linux 6.1");
    summary.baselineRunId = 101;
    Id id = 101;
    for (std::size_t scheme = 0; scheme < schemes.size(); ++scheme)
        for (std::size_t batch = 0; batch < 2; ++batch)
            summary.runs += runOf(scheme, batch, id++);
    summary.headline = QStringLiteral("On the demo problems, W4A4 rotated scores 13.4 points below FP16 "
                                      "(58.5 % against 72.0 %, p < 0.001) and takes "
                                      "0.43 times its time per output token at batch 1; INT8 is not "
                                      "distinguishable from FP16 on these problems.");
    return summary;
}

CampaignSummary syntheticCampaignAfter(int done) {
    CampaignSummary summary = syntheticCampaign();
    summary.campaign.status = RunStatus::Running;
    summary.headline.clear();
    for (qsizetype i = 0; i < summary.runs.size(); ++i) {
        if (i == done)
            halve(summary.runs[i]);
        else if (i > done)
            forget(summary.runs[i]);
    }
    return summary;
}

CampaignSummary fewRounds(CampaignSummary campaign) {
    for (RunSummary& run : campaign.runs) {
        for (Percentiles* latency : {&run.ttftMs, &run.tpotMs, &run.itlMs, &run.e2eMs}) {
            latency->count = latency->rounds = 5;
            latency->p99Limits.high.reset();
        }
        if (run.budget == BudgetVerdict::Inside)
            run.budget = BudgetVerdict::NotEnoughRequests;
        for (LimitCheck& check : run.limitChecks) {
            check.measured = run.tpotMs;
            check.verdict = run.budget;
        }
    }
    return campaign;
}

HostInfo syntheticHost() {
    HostInfo host;
    host.workerVersion = QStringLiteral("0.1.0");
    host.devices = {{QStringLiteral("cpu"), QStringLiteral("cpu"),
                     QStringLiteral("Intel Xeon Platinum 8481C"), QStringLiteral("2 cores, AVX-512 VNNI"),
                     qint64(24) << 30}};
    for (const SchemeNumbers& scheme : schemes)
        host.schemes += {QString::fromLatin1(scheme.id),
                         QString::fromLatin1(scheme.label),
                         QString::fromLatin1(scheme.summary),
                         scheme.weightBits,
                         scheme.activationBits,
                         16};
    host.sandboxAvailable = true;
    return host;
}

} // namespace quantscope::test
