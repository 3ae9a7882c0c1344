// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/campaign_data.h"

#include <algorithm>

namespace quantscope::analysis {
namespace {

storage::SampleCounts countsOf(const QList<storage::SampleVerdict>& samples) {
    storage::SampleCounts counts;
    for (const storage::SampleVerdict& sample : samples) {
        ++counts.stored;
        counts.scored += sample.verdict != storage::Verdict::Unscored ? 1 : 0;
        counts.passed += sample.verdict == storage::Verdict::Passed ? 1 : 0;
        counts.timedOut += sample.verdict == storage::Verdict::TimedOut ? 1 : 0;
    }
    return counts;
}

storage::Expected<> refreshSamples(storage::Repositories& repositories, const storage::SampleCounts& stored,
                                   RunData& run) {
    if (countsOf(run.samples) == stored) {
        return {};
    }
    const auto added =
        repositories.samples.verdicts(run.run.id, run.samples.isEmpty() ? 0 : run.samples.last().id);
    if (!added) {
        return tl::unexpected(added.error());
    }
    ++run.revision;
    run.samples += *added;
    if (countsOf(run.samples) == stored) {
        return {};
    }
    auto all = repositories.samples.verdicts(run.run.id); // scored anew, or removed
    if (!all) {
        return tl::unexpected(all.error());
    }
    run.samples = *std::move(all);
    return {};
}

storage::Expected<> refreshLatencies(storage::Repositories& repositories, int nextRound, RunData& run) {
    const int known = run.latencies.isEmpty() ? 0 : run.latencies.last().round + 1;
    if (nextRound == known) {
        return {};
    }
    const int from = nextRound > known ? known : 0; // a round is stored as a whole, and after those before it
    const auto added = repositories.latencies.list(run.run.id, from);
    if (!added) {
        return tl::unexpected(added.error());
    }
    ++run.revision;
    if (from == 0) {
        run.latencies.clear();
    }
    run.latencies += *added;
    return {};
}

RunData knownRun(const CampaignData& data, const storage::Run& run) {
    const auto known = std::find_if(data.runs.begin(), data.runs.end(),
                                    [&](const RunData& one) { return one.run.id == run.id; });
    RunData result = known != data.runs.end() ? *known : RunData();
    result.run = run;
    return result;
}

} // namespace

storage::Expected<> refreshCampaignData(storage::Repositories& repositories, storage::Id campaignId,
                                        CampaignData& data) {
    CampaignData fresh;
    auto campaign = repositories.campaigns.load(campaignId);
    if (!campaign) {
        return tl::unexpected(campaign.error());
    }
    fresh.campaign = *std::move(campaign);
    const auto problems = fresh.campaign.problemsHash.isEmpty()
                              ? storage::Expected<int>(0)
                              : repositories.problems.count(fresh.campaign.problemsHash);
    const auto runs = repositories.runs.list(campaignId);
    const auto counts = repositories.samples.counts(campaignId);
    const auto rounds = repositories.latencies.nextRounds(campaignId);
    const auto metrics = repositories.metrics.valuesOfCampaign(campaignId);
    for (const storage::Error* error :
         {problems ? nullptr : &problems.error(), runs ? nullptr : &runs.error(),
          counts ? nullptr : &counts.error(), rounds ? nullptr : &rounds.error(),
          metrics ? nullptr : &metrics.error()}) {
        if (error != nullptr) {
            return tl::unexpected(*error);
        }
    }
    fresh.problemCount = *problems;
    for (const storage::Run& stored : *runs) {
        RunData run = knownRun(data, stored);
        auto done = refreshSamples(repositories, counts->value(stored.id), run).and_then([&] {
            return refreshLatencies(repositories, rounds->value(stored.id), run);
        });
        if (!done) {
            return done;
        }
        if (const auto values = metrics->value(stored.id); values != run.metrics) {
            ++run.revision;
            run.metrics = values;
        }
        fresh.runs << run;
    }
    const bool unscored =
        std::any_of(counts->begin(), counts->end(), [](const auto& run) { return run.stored != run.scored; });
    if (unscored) {
        auto reasons = repositories.samples.unscoredReasons(campaignId);
        if (!reasons) {
            return tl::unexpected(reasons.error());
        }
        fresh.unscored = *std::move(reasons);
    }
    data = std::move(fresh);
    return {};
}

storage::Expected<CampaignData> loadCampaignData(storage::Repositories& repositories,
                                                 storage::Id campaignId) {
    CampaignData data;
    return refreshCampaignData(repositories, campaignId, data).map([&] { return std::move(data); });
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

} // namespace quantscope::analysis
