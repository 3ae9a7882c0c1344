// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/database.h"
#include "storage/repositories.h"

#include <QMutex>
#include <QObject>
#include <QThread>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace quantscope::storage {

/// Tells the thread of whoever gave a job that its result is there. A signal instead of Qt's futures: in Qt
/// 6.4 a continuation that is attached in the moment in which the future finishes runs without its promise
/// (a crash), whereas an emission and the end of its receiver are ordered by QObject's own locks.
class Delivery : public QObject {
    Q_OBJECT
  Q_SIGNALS:
    void ready();
};

/// The storage thread. It alone writes: jobs run there in the order they were given, each commits before the
/// next begins. Signals are emitted from that thread, so connect them with a receiver object (they arrive
/// queued). Every public function may be called from any thread.
class Writer : public QObject {
    Q_OBJECT
  public:
    /// Opens (creates, migrates) the file on a new thread; waits for that.
    [[nodiscard]] static Expected<std::unique_ptr<Writer>> open(const QString& path,
                                                                OpenOptions options = {});
    ~Writer() override; ///< as stop()

    [[nodiscard]] const QString& path() const { return path_; }

    // What a campaign yields while it runs. Nothing waits; an error arrives as failed().
    void store(const Sample& sample);                 ///< then sampleStored()
    void store(const QList<LatencySample>& requests); ///< one round of one run; then latencyStored()
    void store(const Telemetry& telemetry);
    void storeMetrics(Id runId, const QMap<QString, double>& values); ///< then metricsStored()
    void storeProblems(const QString& problemsHash, const QList<Problem>& problems);
    void setCampaignStatus(Id campaignId, RunStatus status);
    void setEvalStatus(Id runId, RunStatus status, const QString& error = {});
    void setLatencyStatus(Id runId, RunStatus status, const QString& error = {});
    void setProvenance(const Campaign& campaign);

    /// Any other job; an error arrives as failed().
    using Job = std::function<Expected<>(Repositories&)>;
    void post(Job job);

    /// A job with a result, e.g. `submit([spec](Repositories& r) { return r.campaigns.create(spec); }, this,
    /// [this](const Expected<Campaign>& made) { ... })`. The job returns an Expected<T>; `done` gets it in
    /// the thread of `context`, always by its event loop and never from inside submit(), and not at all when
    /// `context` is gone by then. Errors of the job go to `done` only; after stop() it gets kind Stopped.
    template<class Function, class Done>
    void submit(Function job, const QObject* context, Done done) {
        using Result = std::invoke_result_t<Function, Repositories&>;
        auto result = std::make_shared<std::optional<Result>>();
        auto delivery = std::make_shared<Delivery>();
        QObject::connect(
            delivery.get(), &Delivery::ready, context,
            [result, done = std::move(done)]() mutable { done(*std::move(*result)); }, Qt::QueuedConnection);
        delivery->moveToThread(&thread_); // where it ends
        const bool accepted = enqueue([result, delivery, job = std::move(job)](Repositories* stored) mutable {
            result->emplace(stored ? job(*stored) : Result(tl::unexpected(stoppedError())));
            Expected<> outcome = outcomeOf(**result); // it is the receiver's after the next line
            Q_EMIT delivery->ready();
            return outcome;
        });
        if (!accepted) {
            result->emplace(tl::unexpected(stoppedError()));
            Q_EMIT delivery->ready();
        }
    }

    /// Gives a job and waits for its result: for start-up and the command line, not for the GUI thread while
    /// a campaign runs.
    template<class Function>
    auto call(Function job) -> std::invoke_result_t<Function, Repositories&> {
        using Result = std::invoke_result_t<Function, Repositories&>;
        auto promise = std::make_shared<std::promise<Result>>();
        auto result = promise->get_future();
        const bool accepted = enqueue([promise, job = std::move(job)](Repositories* stored) mutable {
            Result done = stored ? job(*stored) : Result(tl::unexpected(stoppedError()));
            const Expected<> outcome = outcomeOf(done);
            promise->set_value(std::move(done));
            return outcome;
        });
        return accepted ? result.get() : Result(tl::unexpected(stoppedError()));
    }

    [[nodiscard]] int pending() const { return pending_.load(); } ///< jobs given and not begun

    /// Whether more is waiting to be stored than should be given on top (maxPending jobs or maxPendingBytes
    /// of text): whoever reads what is to be stored waits for drained(), so that a flood does not fill
    /// memory. Nothing is ever refused.
    [[nodiscard]] bool saturated();
    static constexpr int maxPending = 512;
    static constexpr qint64 maxPendingBytes = 16LL * 1024 * 1024;

    void flush(); ///< waits until all jobs given before are finished
    void stop();  ///< finishes the jobs given before, closes the database and ends the thread; later jobs are
                  ///< refused

  Q_SIGNALS:
    void sampleStored(const quantscope::storage::Sample& sample, bool isNew);
    void latencyStored(qint64 runId, int round);
    void metricsStored(qint64 runId);
    void statusStored(qint64 campaignId, qint64 runId); ///< one of them is 0
    void failed(const quantscope::storage::Error& error);
    void drained(); ///< after saturated() said so: half of it is stored

  private:
    class Connection; ///< what lives on the thread
    /// Does a job and says what became of it; without repositories the writer has stopped.
    using Task = std::function<Expected<>(Repositories*)>;

    explicit Writer(QString path);
    [[nodiscard]] bool enqueue(Task task, qint64 bytes = 0);
    void post(Job job, qint64 bytes);
    void run(const Task& task, qint64 bytes);
    [[nodiscard]] bool isOver(int jobs, qint64 bytes) const;
    [[nodiscard]] static Error stoppedError();
    template<class T>
    static Expected<> outcomeOf(const Expected<T>& result) {
        return result ? Expected<>() : tl::unexpected(result.error());
    }

    QString path_;
    QThread thread_;
    QObject* context_ = nullptr;             ///< lives on thread_; its event queue is the job queue
    std::unique_ptr<Connection> connection_; ///< touched on thread_ only
    QMutex gate_;                            ///< orders enqueue() against stop()
    bool accepting_ = true;
    std::atomic<int> pending_{0};
    std::atomic<qint64> pendingBytes_{0};
    std::atomic<bool> saturated_{false}; ///< drained() is owed
};

} // namespace quantscope::storage
