// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_controller.h"

#include "app/campaign/errors.h"
#include "app/campaign/event_rows.h"
#include "engine/base/printable.h"
#include "engine/eval/prompt_protocol.h"
#include "storage/resume_identity.h"

#include <QCoreApplication>
#include <QSysInfo>

#include <algorithm>
#include <limits>

namespace quantscope::campaign {
namespace {

QString text(const std::string& utf8) {
    return QString::fromStdString(utf8);
}

constexpr int mostNotices = 50;           ///< of one campaign's worker: more say nothing new
constexpr std::size_t longestText = 8000; ///< bytes of a sentence of the worker's: a path may be 4,096

/// The worker's words for terminals and labels; it may be anybody's, on a host of somebody else's.
QString sentence(const std::string& utf8) {
    return text(printable(utf8, longestText));
}

Error cleaned(const Error& error) {
    return {error.code, printable(error.message, longestText), printable(error.hint, longestText)};
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
    campaign.deviceName = sentence(loaded.device.name);
    campaign.deviceDetail = sentence(loaded.device.detail);
    campaign.hostDetail =
        QStringList{sentence(hello.host.os), sentence(hello.host.cpu)}.join(QStringLiteral("; "));
    return campaign;
}

} // namespace

void CampaignController::onEvent(const protocol::Event& event) {
    if (state_ == State::Ending) {
        return; // late news of a campaign that is over
    }
    std::visit([this](const auto& body) { on(body); }, event.body);
    if (worker_ && state_ != State::Ending && writer_.saturated()) {
        worker_->setReading(false); // until drained(): a worker may speak faster than a disk stores
    }
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
    state_ = State::Recording;
    QStringList notices;
    for (const std::string& words : loaded.notices) {
        notices << sentence(words);
    }
    if (!notices.isEmpty() && !restarted_) {
        Q_EMIT notice(QStringList(notices.mid(0, mostNotices)).join(QLatin1Char(' ')));
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
    progress_.phase = sentence(phase.text);
    report();
}

void CampaignController::on(const protocol::ProgressEvent& progress) {
    progress_.tokensPerSecond = progress.tokens_per_s;
    report();
}

void CampaignController::on(const protocol::ProblemsEvent& problems) {
    if (!problems.notice.empty() && problems.notice != unjudged_) {
        unjudged_ = problems.notice;
        Q_EMIT notice(text(problems.notice));
    }
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
    for (const protocol::ProblemText& problem : problems.problems) {
        tasks_.insert(text(problem.task_id));
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
    if (!tasks_.contains(row.taskId) || row.sampleIndex >= spec_.sampling.samplesPerProblem) {
        refuseWorker(QStringLiteral("sent sample %1 of \"%2\", which was not asked for")
                         .arg(QString::number(row.sampleIndex), text(printable(sample.task_id, 80))));
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
    if (cell == nullptr) {
        return;
    }
    if (latency.round >= spec_.latency.requests) {
        refuseWorker(QStringLiteral("sent latency round %1, but %2 were asked for")
                         .arg(QString::number(latency.round + 1LL), QString::number(spec_.latency.requests)));
        return;
    }
    if (!isNewLatency(*cell, latency)) {
        return;
    }
    writer_.store(latencyRows(latency, cell->run.id));
    report();
}

/// A long round comes in several events, each with the requests that follow. What is stored already is not
/// new: a resume has to measure a round again for the sake of the other runs.
bool CampaignController::isNewLatency(RunRecord& cell, const protocol::LatencyEvent& latency) const {
    const bool begins = latency.round >= cell.nextRound;
    if (begins) {
        cell.openRound = latency.round;
        cell.openRequests = 0;
        cell.nextRound = latency.round + 1;
    }
    if (latency.round != cell.openRound) {
        return false;
    }
    for (const protocol::LatencyTimes& times : latency.requests) {
        if (times.request < cell.openRequests) {
            return false;
        }
        cell.openRequests =
            times.request < std::numeric_limits<int>::max() ? times.request + 1 : times.request;
    }
    return true;
}

/// The worker does what nobody asked for: a defect, or not our worker. What is stored stays.
void CampaignController::refuseWorker(const QString& whatItDid) {
    conclude(Error{ErrorCode::io, QStringLiteral("The worker %1.").arg(whatItDid).toStdString(),
                   "Install the same release of quantscope and quantscope-worker on both machines."});
}

/// Once a campaign: the form is the same for all of its runs.
void CampaignController::warnOfPromptForm(const QMap<QString, double>& values) {
    const double kept = values.value(QStringLiteral("prompt_boundaries_kept"));
    const double problems = values.value(QStringLiteral("prompt_boundaries"));
    if (toldPromptForm_ || 2.0 * kept >= problems) {
        return;
    }
    toldPromptForm_ = true;
    Q_EMIT notice(QStringLiteral("Only %1 of %2 prompts end where a token of prompt and solution ends: the "
                                 "model is prompted off its own tokens, and pass@1 will be far too low. Take "
                                 "another prompt form (--prompt-form).")
                      .arg(kept)
                      .arg(problems));
}

void CampaignController::on(const protocol::MetricEvent& metric) {
    const RunRecord* cell = record_ ? record_->find(runIdOf(metric.run)) : nullptr;
    if (cell != nullptr) {
        const QMap<QString, double> values = metricValues(metric.values);
        writer_.storeMetrics(cell->run.id, values);
        warnOfPromptForm(values);
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

void CampaignController::on(const protocol::ErrorEvent& event) {
    const Error error = cleaned(event.error);
    if (!event.scheme.empty()) {
        const QString scheme = text(event.scheme);
        if (spec_.schemes.contains(scheme)) {
            schemeErrors_.insert(scheme, errorText(error));
            tell(error);
        }
        return;
    }
    if (const storage::Id runId = runIdOf(event.run); runId != 0) {
        if (record_ && record_->find(runId) != nullptr) {
            runErrors_.insert(runId, error); // its `done` follows
        }
        return;
    }
    if (event.fatal) {
        return; // the worker ends and names this as the reason
    }
    // A request that it could not read will never be answered.
    const bool unread = state_ == State::Working && error.code == ErrorCode::bad_input;
    if (state_ == State::Loading || unread) {
        conclude(error);
        return;
    }
    tell(error);
}

void CampaignController::tell(const Error& error) {
    if (++told_ <= mostNotices) {
        Q_EMIT notice(errorText(error));
    }
}

QString CampaignController::missingAtDone(const RunRecord& cell, Measure measure) const {
    const bool isEval = measure == Measure::Eval;
    const qsizetype asked =
        isEval ? static_cast<qsizetype>(record_->problemCount) * spec_.sampling.samplesPerProblem
               : spec_.latency.requests;
    const qsizetype came = isEval ? cell.samples.size() : cell.nextRound;
    return came >= asked
               ? QString()
               : QStringLiteral("The worker said that it was done, but %1 of %2 %3 came. Resume the "
                                "campaign to measure the others.")
                     .arg(QString::number(came), QString::number(asked),
                          isEval ? QStringLiteral("samples") : QStringLiteral("latency rounds"));
}

void CampaignController::on(const protocol::DoneEvent& done) {
    RunRecord* cell = record_ ? record_->find(runIdOf(done.run)) : nullptr;
    if (cell == nullptr || !openRuns_.remove(cell->run.id)) {
        return;
    }
    const Measure measure = record_->plan.steps[step_].measure;
    storage::RunStatus status = statusOfDone(done.status);
    QString error;
    if (status == storage::RunStatus::Failed) {
        error = errorText(
            runErrors_.value(cell->run.id, Error{ErrorCode::internal, "The worker gave no reason.", {}}));
    } else if (status == storage::RunStatus::Done) {
        error = missingAtDone(*cell, measure);
        if (!error.isEmpty()) {
            status = storage::RunStatus::Partial;
            Q_EMIT notice(error);
        }
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
