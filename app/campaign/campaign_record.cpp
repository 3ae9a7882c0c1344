// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_record.h"

#include "app/campaign/event_rows.h"

#include <algorithm>
#include <limits>

namespace quantscope::campaign {
namespace {

using storage::RunStatus;

constexpr int humanEvalProblems = 164; ///< a guess for progress, until the worker tells the number

const storage::SchemeInfo* findScheme(const QList<storage::SchemeInfo>& schemes, const QString& id) {
    const auto it =
        std::find_if(schemes.begin(), schemes.end(), [&](const auto& scheme) { return scheme.id == id; });
    return it == schemes.end() ? nullptr : &*it;
}

protocol::EvalRequest evalRequest(const CampaignRecord& record, const Step& step) {
    const RunRecord& cell = record.runs[step.cells.first()];
    const storage::CampaignSpec& spec = record.campaign.spec;
    protocol::EvalRequest request;
    request.run = wireRun(cell.run.id);
    request.scheme = cell.run.schemeId.toStdString();
    request.problems = spec.problems.toStdString();
    request.limit = spec.limit;
    request.batch_size = step.batchSize;
    request.sampling = wireSampling(spec.sampling);
    for (const storage::SampleKey& key : cell.samples) {
        request.skip.push_back({key.first.toStdString(), key.second});
    }
    std::sort(request.skip.begin(), request.skip.end());
    return request;
}

protocol::LatencyRequest latencyRequest(const CampaignRecord& record, const Step& step) {
    const storage::LatencySettings& settings = record.campaign.spec.latency;
    protocol::LatencyRequest request;
    request.batch_size = step.batchSize;
    request.prompt_tokens = settings.promptTokens;
    request.output_tokens = settings.outputTokens;
    request.requests = settings.requests;
    request.first_round = std::numeric_limits<int>::max();
    for (const int index : step.cells) {
        const RunRecord& cell = record.runs[index];
        if (record.status(step, index) == RunStatus::Done) {
            continue;
        }
        request.cells.push_back({wireRun(cell.run.id), cell.run.schemeId.toStdString()});
        request.first_round = std::min({request.first_round, cell.nextRound, settings.requests});
    }
    return request;
}

/// The runs of a campaign in the plan's order, which is not storage's.
storage::Expected<QList<RunRecord>> runsInOrder(storage::Repositories& repositories,
                                                const storage::Campaign& campaign, const Plan& plan) {
    const auto stored = repositories.runs.list(campaign.id);
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    QList<RunRecord> runs;
    for (const Cell& cell : plan.cells) {
        const auto it = std::find_if(stored->begin(), stored->end(), [&](const storage::Run& run) {
            return run.schemeId == cell.schemeId && run.batchSize == cell.batchSize;
        });
        if (it == stored->end()) {
            return storage::makeError(
                storage::ErrorKind::BadInput,
                QStringLiteral("Campaign %1 has no run of %2 at batch size %3, though its matrix names "
                               "one; it cannot be continued.")
                    .arg(QString::number(campaign.id), cell.schemeId, QString::number(cell.batchSize)));
        }
        RunRecord record;
        record.run = *it;
        runs << record;
    }
    return runs;
}

storage::Expected<> addStored(storage::Repositories& repositories, CampaignRecord& record) {
    const auto counts = repositories.samples.counts(record.campaign.id);
    if (!counts) {
        return tl::unexpected(counts.error());
    }
    for (RunRecord& cell : record.runs) {
        auto keys = repositories.samples.keys(cell.run.id);
        const auto nextRound = repositories.latencies.nextRound(cell.run.id);
        if (!keys || !nextRound) {
            return tl::unexpected(keys ? nextRound.error() : keys.error());
        }
        cell.samples = *std::move(keys);
        cell.nextRound = *nextRound;
        cell.scored = counts->value(cell.run.id).scored;
        cell.passed = counts->value(cell.run.id).passed;
    }
    return {};
}

} // namespace

RunRecord* CampaignRecord::find(storage::Id runId) {
    const auto it =
        std::find_if(runs.begin(), runs.end(), [&](const RunRecord& cell) { return cell.run.id == runId; });
    return it == runs.end() ? nullptr : &*it;
}

RunStatus CampaignRecord::status(const Step& step, int cell) const {
    const storage::Run& run = runs[cell].run;
    return step.measure == Measure::Eval ? run.evalStatus : run.latencyStatus;
}

protocol::Request CampaignRecord::request(const Step& step) const {
    if (step.measure == Measure::Eval) {
        return evalRequest(*this, step);
    }
    return latencyRequest(*this, step);
}

int CampaignRecord::unitsTotal(const Step& step) const {
    const storage::CampaignSpec& spec = campaign.spec;
    if (step.measure == Measure::Latency) {
        return static_cast<int>(step.cells.size()) * spec.latency.requests;
    }
    const int guess = spec.limit > 0 ? spec.limit : humanEvalProblems;
    return (problemCount > 0 ? problemCount : guess) * spec.sampling.samplesPerProblem;
}

int CampaignRecord::unitsDone(const Step& step) const {
    int done = 0;
    for (const int cell : step.cells) {
        done += step.measure == Measure::Eval
                    ? static_cast<int>(runs[cell].samples.size())
                    : std::min(runs[cell].nextRound, campaign.spec.latency.requests);
    }
    return done;
}

RunStatus CampaignRecord::overallStatus() const {
    bool anyDone = false;
    bool anyFailed = false;
    bool anyOpen = false;
    for (const Step& step : plan.steps) {
        for (const int cell : step.cells) {
            const RunStatus one = status(step, cell);
            anyDone = anyDone || one == RunStatus::Done || unitsDone(step) > 0;
            anyFailed = anyFailed || one == RunStatus::Failed;
            anyOpen = anyOpen || one != RunStatus::Done;
        }
    }
    if (!anyOpen) {
        return RunStatus::Done;
    }
    if (anyFailed && !anyDone) {
        return RunStatus::Failed;
    }
    return anyDone ? RunStatus::Partial : RunStatus::Planned;
}

int CampaignRecord::samplesScored() const {
    int scored = 0;
    for (const RunRecord& cell : runs) {
        scored += cell.scored;
    }
    return scored;
}

storage::Expected<CampaignRecord> createRecord(storage::Repositories& repositories,
                                               const storage::Campaign& provenance,
                                               const QList<storage::SchemeInfo>& schemes) {
    QMap<QString, QString> labels;
    for (const storage::SchemeInfo& scheme : schemes) {
        labels.insert(scheme.id, scheme.label);
    }
    const auto created = repositories.campaigns.create(provenance.spec, labels);
    if (!created) {
        return tl::unexpected(created.error());
    }
    CampaignRecord record;
    record.campaign = provenance;
    record.campaign.id = created->id;
    record.campaign.createdAt = created->createdAt;
    record.campaign.status = created->status;
    record.plan = planCampaign(provenance.spec);
    if (const auto stored = repositories.campaigns.setProvenance(record.campaign); !stored) {
        return tl::unexpected(stored.error());
    }
    auto runs = runsInOrder(repositories, record.campaign, record.plan);
    if (!runs) {
        return tl::unexpected(runs.error());
    }
    record.runs = *std::move(runs);
    for (const RunRecord& cell : record.runs) {
        const storage::SchemeInfo* scheme = findScheme(schemes, cell.run.schemeId);
        if (scheme == nullptr) {
            continue;
        }
        const auto stored = repositories.metrics.set(
            cell.run.id, {{QStringLiteral("weight_bits"), scheme->weightBits},
                          {QStringLiteral("activation_bits"), scheme->activationBits},
                          {QStringLiteral("kv_bits"), scheme->kvBits}});
        if (!stored) {
            return tl::unexpected(stored.error());
        }
    }
    return record;
}

storage::Expected<CampaignRecord> loadRecord(storage::Repositories& repositories, storage::Id campaignId) {
    CampaignRecord record;
    auto campaign = repositories.campaigns.load(campaignId);
    if (!campaign) {
        return tl::unexpected(campaign.error());
    }
    record.campaign = *std::move(campaign);
    record.plan = planCampaign(record.campaign.spec);
    auto runs = runsInOrder(repositories, record.campaign, record.plan);
    if (!runs) {
        return tl::unexpected(runs.error());
    }
    record.runs = *std::move(runs);
    return addStored(repositories, record).map([&] { return std::move(record); });
}

} // namespace quantscope::campaign
