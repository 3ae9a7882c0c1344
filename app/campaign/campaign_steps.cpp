// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_controller.h"

#include "app/campaign/errors.h"

#include <algorithm>

namespace quantscope::campaign {

using storage::RunStatus;

void CampaignController::adopt(storage::Expected<CampaignRecord> record) {
    if (state_ == State::Ending || state_ == State::Idle) {
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
    startWork();
}

void CampaignController::startWork() {
    state_ = State::Working;
    step_ = -1;
    progress_.campaignId = record_->campaign.id;
    writer_.setCampaignStatus(record_->campaign.id, RunStatus::Running);
    if (!restarted_) {
        resetEstimator();
        Q_EMIT campaignStarted(record_->campaign.id);
    }
    if (cancelling_) {
        conclude(std::nullopt);
        return;
    }
    nextStep();
}

void CampaignController::nextStep() {
    const QList<Step>& steps = record_->plan.steps;
    if (step_ >= 0) {
        estimator_.close(step_, now());
    }
    for (++step_; step_ < steps.size(); ++step_) {
        failUnloaded(steps[step_]);
        const auto open = [&](int cell) {
            const RunStatus status = record_->status(steps[step_], cell);
            return status != RunStatus::Done && usableSchemes_.contains(record_->runs[cell].run.schemeId);
        };
        if (std::any_of(steps[step_].cells.begin(), steps[step_].cells.end(), open)) {
            beginStep(steps[step_]);
            return;
        }
        estimator_.close(step_, now());
    }
    conclude(std::nullopt);
}

void CampaignController::failUnloaded(const Step& step) {
    for (const int cell : step.cells) {
        RunRecord& record = record_->runs[cell];
        const QString& scheme = record.run.schemeId;
        if (record_->status(step, cell) == RunStatus::Done || usableSchemes_.contains(scheme)) {
            continue;
        }
        setStatus(record, step.measure, RunStatus::Failed,
                  schemeErrors_.value(scheme, QStringLiteral("The worker did not load %1.").arg(scheme)));
        Q_EMIT measureFinished(record, step.measure);
    }
}

void CampaignController::beginStep(const Step& step) {
    openRuns_.clear();
    QStringList names;
    for (const int cell : step.cells) {
        RunRecord& record = record_->runs[cell];
        if (record_->status(step, cell) == RunStatus::Done || !usableSchemes_.contains(record.run.schemeId)) {
            continue;
        }
        openRuns_.insert(record.run.id);
        names << (record.run.schemeLabel.isEmpty() ? record.run.schemeId : record.run.schemeLabel);
        setStatus(record, step.measure, RunStatus::Running);
    }
    const bool isEval = step.measure == Measure::Eval;
    progress_.runId = isEval ? record_->runs[step.cells.first()].run.id : 0;
    progress_.phase = isEval ? QStringLiteral("Problems, %1, batch %2")
                                   .arg(names.join(QString()), QString::number(step.batchSize))
                             : QStringLiteral("Latency, batch %1").arg(step.batchSize);
    progress_.tokensPerSecond = 0.0;
    estimator_.begin(step_, now());
    report();
    protocol::Request request = record_->request(step);
    if (auto* latency = std::get_if<protocol::LatencyRequest>(&request)) {
        std::erase_if(latency->cells, [this](const protocol::LatencyCell& cell) {
            return !usableSchemes_.contains(QString::fromStdString(cell.scheme));
        });
    }
    sendOrConclude(request);
}

void CampaignController::setStatus(RunRecord& cell, Measure measure, RunStatus status, const QString& error) {
    if (measure == Measure::Eval) {
        cell.run.evalStatus = status;
        writer_.setEvalStatus(cell.run.id, status, error);
    } else {
        cell.run.latencyStatus = status;
        writer_.setLatencyStatus(cell.run.id, status, error);
    }
    cell.run.error = error;
}

void CampaignController::closeOpenRuns(RunStatus status, const QString& error) {
    if (!record_ || step_ < 0 || step_ >= record_->plan.steps.size()) {
        return;
    }
    const Measure measure = record_->plan.steps[step_].measure;
    for (const storage::Id runId : std::as_const(openRuns_)) {
        RunRecord* cell = record_->find(runId);
        setStatus(*cell, measure, status, error);
        Q_EMIT measureFinished(*cell, measure);
    }
    openRuns_.clear();
}

void CampaignController::resetEstimator() {
    if (estimator_.total() > 0) { // it runs: only the number of problems has become known
        for (int i = 0; i < record_->plan.steps.size(); ++i) {
            estimator_.setTotal(i, record_->unitsTotal(record_->plan.steps[i]));
        }
        return;
    }
    QList<ProgressEstimator::StepUnits> units;
    for (const Step& step : record_->plan.steps) {
        units << ProgressEstimator::StepUnits{record_->unitsTotal(step), record_->unitsDone(step)};
    }
    estimator_ = ProgressEstimator(record_->plan, units);
}

void CampaignController::report() {
    if (record_ && state_ == State::Working && step_ >= 0 && step_ < record_->plan.steps.size()) {
        estimator_.advance(step_, record_->unitsDone(record_->plan.steps[step_]), now());
        progress_.done = estimator_.done();
        progress_.total = estimator_.total();
        progress_.etaSeconds = estimator_.etaSeconds();
    }
    Q_EMIT progressed(progress_);
}

} // namespace quantscope::campaign
