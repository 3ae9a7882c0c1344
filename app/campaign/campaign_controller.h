// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/campaign_lock.h"
#include "app/campaign/campaign_record.h"
#include "app/campaign/progress_estimator.h"
#include "app/campaign/worker_process.h"
#include "storage/writer.h"

#include <QElapsedTimer>
#include <QObject>
#include <QSet>

#include <memory>
#include <optional>

namespace quantscope::campaign {

/// How a campaign ended. `error` is set when something stopped or refused it; single failed runs are in
/// storage.
struct CampaignOutcome {
    storage::Id campaignId = 0; ///< 0: refused before anything was stored
    storage::RunStatus status = storage::RunStatus::Failed;
    std::optional<Error> error;
    int samplesScored = 0;
};

/// Runs one campaign at a time, for the window and the command line alike: starts a worker, loads the model,
/// asks for one step of the plan after the other and hands every sample to the storage thread as it arrives.
/// Event-driven; no call blocks. A worker that dies is started again once, and goes on with what is not
/// stored.
class CampaignController : public QObject {
    Q_OBJECT

  public:
    explicit CampaignController(storage::Writer& writer, QObject* parent = nullptr);
    ~CampaignController() override;

    void setPatience(const WorkerPatience& patience) { patience_ = patience; }

    /// Both answer with finished(), even when refused; ignored while a campaign runs.
    void start(const storage::CampaignSpec& spec);
    void resume(storage::Id campaignId);
    /// Stops after the samples in flight; called again, at once.
    void cancel();

    [[nodiscard]] bool isRunning() const { return state_ != State::Idle; }
    [[nodiscard]] storage::Id campaignId() const { return record_ ? record_->campaign.id : 0; }
    [[nodiscard]] qint64 workerProcessId() const { return worker_ ? worker_->processId() : 0; }

  Q_SIGNALS:
    void hostKnown(const quantscope::storage::HostInfo& host);
    void campaignStarted(quantscope::storage::Id campaignId);
    void progressed(const quantscope::storage::Progress& progress);
    /// The worker has not said hello yet: a sentence, every few seconds, that ends with what came instead
    /// (`lastWords`). Empty when the waiting is over.
    void awaiting(const QString& sentence, const QString& lastWords);
    /// A measure of a run ended: done, failed or cancelled.
    void measureFinished(const quantscope::campaign::RunRecord& run, quantscope::campaign::Measure measure);
    void notice(const QString& message);
    void finished(const quantscope::campaign::CampaignOutcome& outcome);

  private:
    enum class State { Idle, Starting, Loading, Recording, Working, Ending };

    // The worker's life (campaign_controller.cpp)
    void begin();
    bool takeLock(storage::Id campaignId);
    void launchWorker();
    void onWaiting(int seconds, const QString& lastWords);
    void onWorkerEnded(const WorkerEnd& end);
    void conclude(std::optional<Error> error);
    void finalize();
    void sendOrConclude(const protocol::Request& request);

    // What it says (campaign_events.cpp)
    void onEvent(const protocol::Event& event);
    void on(const protocol::HelloEvent& hello);
    void on(const protocol::LoadedEvent& loaded);
    void on(const protocol::PhaseEvent& phase);
    void on(const protocol::ProgressEvent& progress);
    void on(const protocol::ProblemsEvent& problems);
    void on(const protocol::SampleEvent& sample);
    void on(const protocol::LatencyEvent& latency);
    void on(const protocol::MetricEvent& metric);
    void warnOfPromptForm(const QMap<QString, double>& values);
    void on(const protocol::TelemetryEvent& telemetry);
    void on(const protocol::ErrorEvent& error);
    void on(const protocol::DoneEvent& done);
    void on(const protocol::PongEvent&) {}
    void on(const protocol::HeartbeatEvent&) {}
    void on(const protocol::UnknownEvent&) {}
    void checkProblems(const protocol::ProblemsEvent& problems);
    [[nodiscard]] bool isNewLatency(RunRecord& cell, const protocol::LatencyEvent& latency) const;
    [[nodiscard]] QString missingAtDone(const RunRecord& cell, Measure measure) const;
    void tell(const Error& error);
    void refuseWorker(const QString& whatItDid);

    // The steps (campaign_steps.cpp)
    void adopt(storage::Expected<CampaignRecord> record);
    void startWork();
    void nextStep();
    void beginStep(const Step& step);
    void failUnloaded(const Step& step);
    void setStatus(RunRecord& cell, Measure measure, storage::RunStatus status, const QString& error = {});
    void closeOpenRuns(storage::RunStatus status, const QString& error = {});
    void resetEstimator();
    void report();
    [[nodiscard]] double now() const { return static_cast<double>(clock_.elapsed()) / 1000.0; }

    storage::Writer& writer_;
    WorkerPatience patience_;
    State state_ = State::Idle;
    int session_ = 0; ///< counts starts: an answer to an earlier one is dropped
    bool cancelling_ = false;
    bool restarted_ = false;
    std::optional<Error> error_;

    storage::CampaignSpec spec_;
    std::optional<CampaignRecord> record_;
    std::string unjudged_; ///< the worker's sentence about problems that cannot be judged, told once
    std::optional<CampaignLock> lock_;
    std::unique_ptr<WorkerProcess> worker_;
    storage::HostInfo host_;
    protocol::HelloEvent hello_;
    QStringList usableSchemes_;
    QMap<QString, QString> schemeErrors_; ///< scheme -> why it could not be loaded
    QMap<storage::Id, Error> runErrors_;
    QSet<QString> tasks_; ///< of the campaign's problems, as far as the worker has told
    bool toldPromptForm_ = false;
    int told_ = 0; ///< notices from the worker

    int step_ = -1;
    QSet<storage::Id> openRuns_; ///< runs of the step whose `done` has not come
    QElapsedTimer clock_;
    ProgressEstimator estimator_;
    storage::Progress progress_;
};

} // namespace quantscope::campaign

Q_DECLARE_METATYPE(quantscope::campaign::CampaignOutcome)
