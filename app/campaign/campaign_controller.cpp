// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_controller.h"

#include "app/campaign/errors.h"

#include <QPointer>

namespace quantscope::campaign {

using storage::RunStatus;

CampaignController::CampaignController(storage::Writer& writer, QObject* parent)
    : QObject(parent), writer_(writer) {
    connect(&writer_, &storage::Writer::failed, this, [this](const storage::Error& error) {
        if (isRunning() && state_ != State::Ending) {
            conclude(appError(error)); // a full disk: what is stored stays, nothing more can be
            if (worker_) {
                worker_->terminate(); // so nothing that it would still finish is worth waiting for
            }
        }
    });
    connect(&writer_, &storage::Writer::drained, this, [this] {
        if (worker_) {
            worker_->setReading(true);
        }
    });
}

CampaignController::~CampaignController() = default;

void CampaignController::start(const storage::CampaignSpec& spec) {
    if (isRunning()) {
        return;
    }
    record_.reset();
    spec_ = spec;
    begin();
    if (auto checked = checkSpec(spec_); !checked) {
        conclude(checked.error());
        return;
    }
    launchWorker();
}

void CampaignController::resume(storage::Id campaignId) {
    if (isRunning()) {
        return;
    }
    record_.reset();
    begin();
    writer_.submit(
        [campaignId](storage::Repositories& repositories) { return loadRecord(repositories, campaignId); },
        this,
        [this, session = session_](storage::Expected<CampaignRecord> record) {
            if (session != session_) {
                return;
            }
            if (!record) {
                conclude(appError(record.error()));
                return;
            }
            if (!takeLock(record->campaign.id)) {
                return;
            }
            record_ = *std::move(record);
            spec_ = record_->campaign.spec;
            if (cancelling_) {
                conclude(std::nullopt);
                return;
            }
            launchWorker();
        });
}

bool CampaignController::takeLock(storage::Id campaignId) {
    auto lock = CampaignLock::take(writer_.path(), campaignId);
    if (!lock) {
        conclude(lock.error());
        return false;
    }
    lock_ = *std::move(lock);
    return true;
}

void CampaignController::begin() {
    ++session_;
    state_ = State::Starting;
    cancelling_ = false;
    restarted_ = false;
    error_.reset();
    progress_ = {};
    runErrors_.clear();
    tasks_.clear();
    told_ = 0;
    toldPromptForm_ = false;
    step_ = -1;
    openRuns_.clear();
    estimator_ = {};
    clock_.start();
}

void CampaignController::cancel() {
    if (!isRunning() || state_ == State::Ending) {
        if (worker_) {
            worker_->kill();
        }
        return;
    }
    if (cancelling_ || state_ != State::Working) {
        const bool again = cancelling_;
        cancelling_ = true;
        if (worker_) {
            // Nothing is in flight; or the user is in a hurry.
            again ? worker_->kill() : worker_->terminate();
        }
        return;
    }
    cancelling_ = true;
    progress_.phase = QStringLiteral("Stopping");
    report();
    sendOrConclude(protocol::CancelRequest{});
    QTimer::singleShot(patience_.silenceMs, worker_.get(), [worker = worker_.get()] { worker->kill(); });
}

void CampaignController::launchWorker() {
    state_ = State::Starting;
    usableSchemes_.clear();
    schemeErrors_.clear();
    if (record_) {
        for (RunRecord& cell : record_->runs) {
            cell.openRound = -1;
        }
    }
    progress_.phase = QStringLiteral("Starting the worker");
    progress_.device.clear(); // a worker that has died reports nothing
    report();
    worker_ = std::make_unique<WorkerProcess>(workerCommand(spec_.launcher, spec_.python), patience_);
    connect(worker_.get(), &WorkerProcess::eventReceived, this, &CampaignController::onEvent);
    connect(worker_.get(), &WorkerProcess::waiting, this, &CampaignController::onWaiting);
    connect(worker_.get(), &WorkerProcess::ended, this, &CampaignController::onWorkerEnded);
    worker_->start();
}

void CampaignController::onWaiting(int seconds, const QString& lastWords) {
    progress_.phase = QStringLiteral("Waiting for the worker's hello, %1 s").arg(seconds);
    report();
    Q_EMIT awaiting(waitingSentence(spec_.launcher, seconds, lastWords), lastWords);
}

void CampaignController::sendOrConclude(const protocol::Request& request) {
    if (auto sent = worker_->send(request); !sent) {
        conclude(sent.error());
    }
}

void CampaignController::onWorkerEnded(const WorkerEnd& end) {
    worker_.release()->deleteLater(); // we are inside its signal
    Q_EMIT awaiting({}, {});
    if (state_ == State::Ending || cancelling_) {
        closeOpenRuns(cancelling_ ? RunStatus::Cancelled : RunStatus::Partial);
        finalize();
        return;
    }
    const Error error =
        end.error.value_or(Error{ErrorCode::internal, "The worker ended before its work was done.", {}});
    const bool refused = error.code == ErrorCode::bad_input || error.code == ErrorCode::unsupported;
    if (record_ && !end.neverGreeted && !restarted_ && !refused) {
        restarted_ = true;
        Q_EMIT notice(QStringLiteral("%1 It is started again once and goes on with what is not stored yet.")
                          .arg(errorText(error)));
        launchWorker();
        return;
    }
    closeOpenRuns(RunStatus::Failed, errorText(error));
    error_ = error;
    if (record_) {
        error_->hint += error_->hint.empty() ? "" : " ";
        error_->hint += "What was measured is stored; resume the campaign to go on.";
    }
    finalize();
}

void CampaignController::conclude(std::optional<Error> error) {
    if (!error_) {
        error_ = std::move(error);
    }
    state_ = State::Ending;
    if (worker_) {
        worker_->shutdown(); // onWorkerEnded() finalizes
        return;
    }
    QTimer::singleShot(0, this, &CampaignController::finalize); // never from inside start()
}

void CampaignController::finalize() {
    state_ = State::Ending;
    CampaignOutcome outcome;
    outcome.error = error_;
    if (cancelling_ && !outcome.error) {
        outcome.error = Error{ErrorCode::cancelled, "The campaign was stopped.", {}};
    }
    const auto announce = [this](const CampaignOutcome& result) {
        state_ = State::Idle;
        lock_.reset();
        Q_EMIT finished(result);
    };
    if (!record_) {
        outcome.status = cancelling_ ? RunStatus::Cancelled : RunStatus::Failed;
        announce(outcome);
        return;
    }
    outcome.campaignId = record_->campaign.id;
    outcome.samplesScored = record_->samplesScored();
    outcome.status = record_->overallStatus();
    if (!outcome.error && outcome.status == RunStatus::Failed && !runErrors_.isEmpty()) {
        outcome.error = runErrors_.first(); // all failed: why decides the exit code
    }
    if (cancelling_ && outcome.status != RunStatus::Done) {
        outcome.status = RunStatus::Cancelled;
    }
    // The last job of the queue: when it is done, everything before it is on the disk.
    const storage::Id id = outcome.campaignId;
    const RunStatus status = outcome.status;
    writer_.submit(
        [id, status](storage::Repositories& repositories) {
            return repositories.campaigns.setStatus(id, status);
        },
        this,
        [outcome, announce](const storage::Expected<>& stored) mutable {
            if (!stored && !outcome.error) {
                outcome.error = appError(stored.error());
            }
            announce(outcome);
        });
}

} // namespace quantscope::campaign
