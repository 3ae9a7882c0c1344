// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_controller.h"

#include "app/campaign/errors.h"
#include "app/campaign/event_rows.h"
#include "engine/eval/prompt_protocol.h"
#include "storage/resume_identity.h"

#include <QCoreApplication>
#include <QSysInfo>

#include <algorithm>

namespace quantscope::campaign {
namespace {

QString text(const std::string& utf8) {
    return QString::fromStdString(utf8);
}

storage::RunStatus statusOfDone(const std::string& status) {
    if (status == "ok") {
        return storage::RunStatus::Done;
    }
    return status == "cancelled" ? storage::RunStatus::Cancelled : storage::RunStatus::Failed;
}

/// Everything about where and on what a campaign is measured that the worker has told so far.
storage::Campaign provenance(const storage::CampaignSpec& spec, const protocol::HelloEvent& hello,
                             const protocol::LoadedEvent& loaded) {
    storage::Campaign campaign;
    campaign.spec = spec;
    campaign.createdAt = QDateTime::currentDateTimeUtc();
    campaign.quantscopeVersion = QCoreApplication::applicationVersion();
    campaign.workerVersion = text(hello.version);
    campaign.protocolId = QString::fromUtf8(eval::prompt_protocol_id.data(),
                                            static_cast<qsizetype>(eval::prompt_protocol_id.size()));
    campaign.modelHash = text(loaded.model_hash);
    campaign.deviceName = text(loaded.device.name);
    campaign.deviceDetail = text(loaded.device.detail);
    campaign.hostDetail = QStringList{text(hello.host.os), text(hello.host.cpu)}.join(QStringLiteral("; "));
    return campaign;
}

} // namespace

void CampaignController::onEvent(const protocol::Event& event) {
    if (state_ == State::Ending) {
        return; // late news of a campaign that is over
    }
    std::visit([this](const auto& body) { on(body); }, event.body);
}

void CampaignController::on(const protocol::HelloEvent& hello) {
    Q_EMIT awaiting({}, {});
    hello_ = hello;
    host_ = hostInfo(hello);
    Q_EMIT hostKnown(host_);
    if (auto checked = checkSpec(spec_, host_.schemes); !checked) {
        conclude(checked.error());
        return;
    }
    if (spec_.evalEnabled && !host_.sandboxAvailable && !restarted_) {
        Q_EMIT notice(QStringLiteral("Completions are stored unscored: %1").arg(host_.sandboxMessage));
    }
    state_ = State::Loading;
    progress_.phase = QStringLiteral("Loading the model");
    report();
    protocol::LoadRequest load;
    load.model = spec_.model.toStdString();
    load.backend = spec_.backend.toStdString();
    load.max_batch = *std::max_element(spec_.batchSizes.begin(), spec_.batchSizes.end());
    for (const QString& scheme : spec_.schemes) {
        load.schemes.push_back(scheme.toStdString());
    }
    sendOrConclude(load);
}

void CampaignController::on(const protocol::LoadedEvent& loaded) {
    if (state_ != State::Loading) {
        return;
    }
    for (const std::string& scheme : loaded.schemes) {
        usableSchemes_ << text(scheme);
    }
    storage::Campaign found = provenance(spec_, hello_, loaded);
    if (!record_) {
        writer_.submit(
            [found, schemes = host_.schemes](storage::Repositories& repositories) {
                return createRecord(repositories, found, schemes);
            },
            this,
            [this, session = session_](storage::Expected<CampaignRecord> record) {
                if (session == session_) {
                    adopt(std::move(record));
                }
            });
        return;
    }
    found.problemsHash = record_->campaign.problemsHash; // compared when the worker tells it
    if (const auto same = storage::checkResume(record_->campaign, storage::identityOf(found)); !same) {
        conclude(appError(same.error()));
        return;
    }
    startWork();
}

void CampaignController::on(const protocol::PhaseEvent& phase) {
    progress_.phase = text(phase.text);
    report();
}

void CampaignController::on(const protocol::ProgressEvent& progress) {
    progress_.tokensPerSecond = progress.tokens_per_s;
    report();
}

void CampaignController::on(const protocol::ProblemsEvent& problems) {
    if (record_) {
        checkProblems(problems);
    }
}

void CampaignController::checkProblems(const protocol::ProblemsEvent& problems) {
    storage::Campaign& campaign = record_->campaign;
    const QString hash = text(problems.problems_hash);
    if (campaign.problemsHash.isEmpty()) {
        campaign.problemsHash = hash;
        writer_.setProvenance(campaign);
    } else if (campaign.problemsHash != hash) {
        storage::ResumeIdentity found = storage::identityOf(campaign);
        found.problemsHash = hash;
        conclude(appError(storage::checkResume(campaign, found).error()));
        return;
    }
    writer_.storeProblems(hash, problemRows(problems));
    if (record_->problemCount != problems.count) {
        record_->problemCount = problems.count;
        resetEstimator();
    }
}

void CampaignController::on(const protocol::SampleEvent& sample) {
    RunRecord* cell = record_ ? record_->find(runIdOf(sample.run)) : nullptr;
    if (cell == nullptr) {
        return;
    }
    const storage::Sample row = sampleRow(sample, cell->run.id);
    const storage::SampleKey key{row.taskId, row.sampleIndex};
    if (cell->samples.contains(key)) {
        return;
    }
    cell->samples.insert(key);
    cell->scored += row.verdict != storage::Verdict::Unscored ? 1 : 0;
    cell->passed += row.verdict == storage::Verdict::Passed ? 1 : 0;
    writer_.store(row);
    report();
}

void CampaignController::on(const protocol::LatencyEvent& latency) {
    RunRecord* cell = record_ ? record_->find(runIdOf(latency.run)) : nullptr;
    if (cell == nullptr || latency.round < cell->nextRound) {
        return; // a round that a resume had to measure again for the sake of the others
    }
    cell->nextRound = latency.round + 1;
    writer_.store(latencyRows(latency, cell->run.id));
    report();
}

void CampaignController::on(const protocol::MetricEvent& metric) {
    const RunRecord* cell = record_ ? record_->find(runIdOf(metric.run)) : nullptr;
    if (cell != nullptr) {
        writer_.storeMetrics(cell->run.id, metricValues(metric.values));
    }
}

void CampaignController::on(const protocol::TelemetryEvent& telemetry) {
    if (!record_ || telemetry.values.empty()) {
        return;
    }
    progress_.device = metricValues(telemetry.values);
    writer_.store(storage::Telemetry{record_->campaign.id, progress_.runId, QDateTime::currentDateTimeUtc(),
                                     progress_.device});
    report();
}

void CampaignController::on(const protocol::ErrorEvent& error) {
    if (!error.scheme.empty()) {
        schemeErrors_.insert(text(error.scheme), errorText(error.error));
        Q_EMIT notice(errorText(error.error));
        return;
    }
    if (const storage::Id runId = runIdOf(error.run); runId != 0) {
        runErrors_.insert(runId, error.error); // its `done` follows
        return;
    }
    if (error.fatal) {
        return; // the worker ends and names this as the reason
    }
    if (state_ == State::Loading) {
        conclude(error.error);
        return;
    }
    Q_EMIT notice(errorText(error.error));
}

void CampaignController::on(const protocol::DoneEvent& done) {
    RunRecord* cell = record_ ? record_->find(runIdOf(done.run)) : nullptr;
    if (cell == nullptr || !openRuns_.remove(cell->run.id)) {
        return;
    }
    const Measure measure = record_->plan.steps[step_].measure;
    const storage::RunStatus status = statusOfDone(done.status);
    QString error;
    if (status == storage::RunStatus::Failed) {
        error = errorText(
            runErrors_.value(cell->run.id, Error{ErrorCode::internal, "The worker gave no reason.", {}}));
    }
    setStatus(*cell, measure, status, error);
    Q_EMIT measureFinished(*cell, measure);
    if (!openRuns_.isEmpty()) {
        return;
    }
    if (cancelling_) {
        conclude(std::nullopt);
    } else {
        nextStep();
    }
}

} // namespace quantscope::campaign
