// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/campaign_analysis.h"

/// Campaigns as rows, without a database.
namespace quantscope::analysis::test {

using storage::Verdict;

/// One greedy sample a problem: 'p' passed, 'f' failed, 't' timed out, 'u' unscored; problem i is "T/i".
inline QList<storage::SampleVerdict> samples(const QString& verdicts) {
    QList<storage::SampleVerdict> list;
    for (int i = 0; i < verdicts.size(); ++i) {
        storage::SampleVerdict sample;
        sample.id = i + 1;
        sample.taskId = QStringLiteral("T/%1").arg(i);
        const QChar c = verdicts[i];
        sample.verdict = c == QLatin1Char('p')   ? Verdict::Passed
                         : c == QLatin1Char('t') ? Verdict::TimedOut
                         : c == QLatin1Char('u') ? Verdict::Unscored
                                                 : Verdict::Failed;
        list << sample;
    }
    return list;
}

inline storage::LatencySample request(int round, int slot, double ttftMs, double e2eMs, int tokens) {
    storage::LatencySample sample;
    sample.round = round;
    sample.request = slot;
    sample.ttftMs = ttftMs;
    sample.e2eMs = e2eMs;
    sample.outputTokens = tokens;
    for (int i = 1; i < tokens; ++i) {
        sample.itlMs << (e2eMs - ttftMs) / (tokens - 1);
    }
    return sample;
}

inline RunData run(storage::Id id, const QString& scheme, int batch, const QString& verdicts,
                   double tpot = 0.0, int bits = 16) {
    RunData data;
    data.run.id = id;
    data.run.schemeId = scheme;
    data.run.schemeLabel = scheme.toUpper();
    data.run.batchSize = batch;
    data.samples = samples(verdicts);
    if (tpot > 0.0) {
        data.latencies << request(0, 0, 10.0, 10.0 + tpot * 4, 5);
    }
    data.metrics = {{QStringLiteral("weight_bits"), bits}, {QStringLiteral("activation_bits"), bits}};
    return data;
}

inline CampaignData campaignOf(const QList<RunData>& runs, int problems) {
    CampaignData data;
    data.campaign.spec.problems = QStringLiteral("/data/HumanEval.jsonl.gz");
    data.problemCount = problems;
    data.runs = runs;
    return data;
}

inline storage::RunSummary figuresOf(const RunData& data, const storage::CampaignSpec& spec, int problems) {
    return runFigures(data, taskResults(data.samples), spec, problems);
}

inline QString repeated(const char* text, int times) {
    return QString::fromLatin1(text).repeated(times);
}

} // namespace quantscope::analysis::test
