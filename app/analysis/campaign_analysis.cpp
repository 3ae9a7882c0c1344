// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/campaign_analysis.h"

#include "app/analysis/budget_check.h"
#include "app/analysis/headline.h"
#include "app/analysis/run_comparison.h"

#include <QSet>

#include <algorithm>

namespace quantscope::analysis {
namespace {

int problemsTotal(const CampaignData& data) {
    const int limit = data.campaign.spec.limit;
    const int known =
        limit > 0 && data.problemCount > 0 ? std::min(limit, data.problemCount) : data.problemCount;
    QSet<QString> seen; // an imported file may have come without its problems
    for (const RunData& run : data.runs) {
        for (const storage::Sample& sample : run.samples) {
            seen.insert(sample.taskId);
        }
    }
    return std::max(known, static_cast<int>(seen.size()));
}

storage::Id chooseBaseline(const CampaignData& data, storage::Id wanted) {
    const bool known = std::any_of(data.runs.begin(), data.runs.end(),
                                   [&](const RunData& run) { return run.run.id == wanted; });
    if (known) {
        return wanted;
    }
    const storage::Id fp16 = runOfScheme(data, QStringLiteral("fp16"));
    if (fp16 != 0) {
        return fp16;
    }
    return data.runs.isEmpty() ? 0 : data.runs.first().run.id;
}

/// Index of the baseline scheme's run at the same batch size; -1 when there is none or it is the run itself.
int baselineFor(const CampaignData& data, const QString& baselineScheme, int index) {
    const storage::Run& run = data.runs[index].run;
    for (int i = 0; i < data.runs.size(); ++i) {
        const storage::Run& other = data.runs[i].run;
        if (other.schemeId == baselineScheme && other.batchSize == run.batchSize) {
            return i == index || run.schemeId == baselineScheme ? -1 : i;
        }
    }
    return -1;
}

struct Pairing {
    int run = 0;
    int baseline = 0;
    storage::Comparison comparison;
};

/// Compares every run that has a baseline, and the headline's pair as one more comparison of the family when
/// it is not among them.
QList<Pairing> comparePairs(const CampaignData& data, const QString& baselineScheme,
                            const std::optional<HeadlinePair>& headlineRuns) {
    QList<Pairing> pairs;
    const auto add = [&](int run, int baseline) {
        pairs << Pairing{run, baseline, compareRuns(data.runs[baseline], data.runs[run])};
    };
    for (int i = 0; i < data.runs.size(); ++i) {
        if (const int baseline = baselineFor(data, baselineScheme, i); baseline >= 0) {
            add(i, baseline);
        }
    }
    if (headlineRuns) {
        const bool known = std::any_of(pairs.begin(), pairs.end(), [&](const Pairing& pair) {
            return pair.run == headlineRuns->subject && pair.baseline == headlineRuns->reference;
        });
        if (!known) {
            add(headlineRuns->subject, headlineRuns->reference);
        }
    }
    QList<storage::Comparison> family;
    for (const Pairing& pair : std::as_const(pairs)) {
        family << pair.comparison;
    }
    judge(family);
    for (int i = 0; i < pairs.size(); ++i) {
        pairs[i].comparison = family[i];
    }
    return pairs;
}

} // namespace

storage::Expected<CampaignData> loadCampaignData(storage::Repositories& repositories,
                                                 storage::Id campaignId) {
    CampaignData data;
    auto campaign = repositories.campaigns.load(campaignId);
    if (!campaign) {
        return tl::unexpected(campaign.error());
    }
    data.campaign = *std::move(campaign);
    const auto count = data.campaign.problemsHash.isEmpty()
                           ? storage::Expected<int>(0)
                           : repositories.problems.count(data.campaign.problemsHash);
    const auto runs = repositories.runs.list(campaignId);
    if (!count || !runs) {
        return tl::unexpected(count ? runs.error() : count.error());
    }
    data.problemCount = *count;
    for (const storage::Run& run : *runs) {
        auto samples = repositories.samples.list(run.id);
        auto latencies = repositories.latencies.list(run.id);
        auto metrics = repositories.metrics.values(run.id);
        if (!samples || !latencies || !metrics) {
            return tl::unexpected(!samples     ? samples.error()
                                  : !latencies ? latencies.error()
                                               : metrics.error());
        }
        data.runs << RunData{run, *std::move(samples), *std::move(latencies), *std::move(metrics)};
    }
    return data;
}

storage::Id runOfScheme(const CampaignData& data, const QString& schemeId) {
    const RunData* best = nullptr;
    for (const RunData& run : data.runs) {
        if (run.run.schemeId == schemeId && (best == nullptr || run.run.batchSize < best->run.batchSize)) {
            best = &run;
        }
    }
    return best != nullptr ? best->run.id : 0;
}

storage::CampaignSummary summarize(const CampaignData& data, storage::Id baselineRunId) {
    storage::CampaignSummary summary;
    summary.campaign = data.campaign;
    summary.baselineRunId = chooseBaseline(data, baselineRunId);
    const int problems = problemsTotal(data);
    QString baselineScheme;
    for (const RunData& run : data.runs) {
        storage::RunSummary figures = runFigures(run, data.campaign.spec, problems);
        figures.insideBudget = insideBudget(data.campaign.spec.budget, figures);
        summary.runs << figures;
        if (run.run.id == summary.baselineRunId) {
            baselineScheme = run.run.schemeId;
        }
    }
    const std::optional<HeadlinePair> headlineRuns = headlinePair(summary);
    std::optional<storage::Comparison> headlineComparison;
    for (Pairing& pair : comparePairs(data, baselineScheme, headlineRuns)) {
        addRatios(pair.comparison, summary.runs[pair.baseline], summary.runs[pair.run]);
        if (data.runs[pair.baseline].run.schemeId == baselineScheme) {
            summary.runs[pair.run].comparison = pair.comparison;
        }
        const bool isHeadline =
            headlineRuns && pair.run == headlineRuns->subject && pair.baseline == headlineRuns->reference;
        if (isHeadline && pair.comparison.problemsCompared > 0) {
            headlineComparison = pair.comparison;
        }
    }
    summary.headline = headline(summary, headlineRuns, headlineComparison);
    return summary;
}

} // namespace quantscope::analysis
