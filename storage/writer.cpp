// SPDX-License-Identifier: Apache-2.0
#include "storage/writer.h"

#include <QMutexLocker>

namespace quantscope::storage {

class Writer::Connection {
  public:
    Connection(std::unique_ptr<Database> database, int busyTimeoutMs)
        : database_(std::move(database)), busyTimeoutMs_(busyTimeoutMs), repositories(*database_) {}

    /// A job that waited in vain for another program's lock has waited for those behind it, too: they try
    /// once each, until one succeeds. Else a queue would take as many timeouts as it has jobs.
    void watch(const Expected<>& outcome) {
        const bool locked = !outcome && outcome.error().kind == ErrorKind::Locked;
        if (locked == impatient_)
            return;
        impatient_ = locked;
        database_->setBusyTimeout(impatient_ ? 0 : busyTimeoutMs_);
    }

  private:
    std::unique_ptr<Database> database_;
    int busyTimeoutMs_;
    bool impatient_ = false;

  public:
    Repositories repositories;
};

Writer::Writer(QString path) : path_(std::move(path)), context_(new QObject) {
    thread_.setObjectName(QStringLiteral("storage"));
    context_->moveToThread(&thread_);
    connect(&thread_, &QThread::finished, context_, &QObject::deleteLater);
    thread_.start();
}

Expected<std::unique_ptr<Writer>> Writer::open(const QString& path, OpenOptions options) {
    std::unique_ptr<Writer> writer(new Writer(path));
    Expected<> opened;
    QMetaObject::invokeMethod(
        writer->context_,
        [&] {
            auto database = Database::open(path, options);
            if (database)
                writer->connection_ =
                    std::make_unique<Connection>(std::move(*database), options.busyTimeoutMs);
            else
                opened = tl::unexpected(database.error());
        },
        Qt::BlockingQueuedConnection);
    if (!opened)
        return tl::unexpected(opened.error());
    return writer;
}

Writer::~Writer() {
    stop();
}

Error Writer::stoppedError() {
    return {ErrorKind::Stopped,
            QStringLiteral("Nothing can be stored: the storage thread was stopped before."),
            {}};
}

bool Writer::enqueue(Task task, qint64 bytes) {
    const QMutexLocker lock(&gate_);
    if (!accepting_)
        return false;
    ++pending_;
    pendingBytes_ += bytes;
    QMetaObject::invokeMethod(
        context_, [this, task = std::move(task), bytes] { run(task, bytes); }, Qt::QueuedConnection);
    return true;
}

void Writer::run(const Task& task, qint64 bytes) {
    --pending_;
    if (connection_)
        connection_->watch(task(&connection_->repositories));
    else
        (void)task(nullptr);
    pendingBytes_ -= bytes;
    if (saturated_ && !isOver(maxPending / 2, maxPendingBytes / 2) && saturated_.exchange(false))
        Q_EMIT drained();
}

bool Writer::isOver(int jobs, qint64 bytes) const {
    return pending_ > jobs || pendingBytes_ > bytes;
}

bool Writer::saturated() {
    if (!isOver(maxPending, maxPendingBytes))
        return false;
    saturated_ = true;
    // What was over may have been stored before the line above; then nobody tells any more.
    return isOver(maxPending / 2, maxPendingBytes / 2) || !saturated_.exchange(false);
}

void Writer::post(Job job) {
    post(std::move(job), 0);
}

void Writer::post(Job job, qint64 bytes) {
    const bool accepted = enqueue(
        [this, job = std::move(job)](Repositories* repositories) {
            Expected<> done = repositories ? job(*repositories) : tl::unexpected(stoppedError());
            if (!done)
                Q_EMIT failed(done.error());
            return done;
        },
        bytes);
    if (!accepted)
        Q_EMIT failed(stoppedError());
}

void Writer::store(const Sample& sample) {
    const qsizetype characters = sample.completion.size() + sample.detail.size() + sample.taskId.size();
    post(
        [this, sample](Repositories& repositories) {
            return repositories.samples.insert(sample).map(
                [&](bool isNew) { Q_EMIT sampleStored(sample, isNew); });
        },
        characters * qsizetype(sizeof(QChar)));
}

void Writer::store(const QList<LatencySample>& requests) {
    qsizetype gaps = 0;
    for (const LatencySample& request : requests)
        gaps += request.itlMs.size();
    post(
        [this, requests](Repositories& repositories) {
            return repositories.latencies.insert(requests).map([&](int) {
                if (!requests.isEmpty())
                    Q_EMIT latencyStored(requests.first().runId, requests.first().round);
            });
        },
        gaps * qsizetype(sizeof(double)) + requests.size() * qsizetype(sizeof(LatencySample)));
}

void Writer::store(const Telemetry& telemetry) {
    post([telemetry](Repositories& repositories) { return repositories.metrics.addTelemetry(telemetry); });
}

void Writer::storeMetrics(Id runId, const QMap<QString, double>& values) {
    post([this, runId, values](Repositories& repositories) {
        return repositories.metrics.set(runId, values).map([&] { Q_EMIT metricsStored(runId); });
    });
}

void Writer::storeProblems(const QString& problemsHash, const QList<Problem>& problems) {
    qsizetype characters = 0;
    for (const Problem& problem : problems)
        characters += problem.prompt.size();
    post([problemsHash, problems](
             Repositories& repositories) { return repositories.problems.store(problemsHash, problems); },
         characters * qsizetype(sizeof(QChar)));
}

void Writer::setCampaignStatus(Id campaignId, RunStatus status) {
    post([this, campaignId, status](Repositories& repositories) {
        return repositories.campaigns.setStatus(campaignId, status).map([&] {
            Q_EMIT statusStored(campaignId, 0);
        });
    });
}

void Writer::setEvalStatus(Id runId, RunStatus status, const QString& error) {
    post([this, runId, status, error](Repositories& repositories) {
        return repositories.runs.setEvalStatus(runId, status, error).map([&] {
            Q_EMIT statusStored(0, runId);
        });
    });
}

void Writer::setLatencyStatus(Id runId, RunStatus status, const QString& error) {
    post([this, runId, status, error](Repositories& repositories) {
        return repositories.runs.setLatencyStatus(runId, status, error).map([&] {
            Q_EMIT statusStored(0, runId);
        });
    });
}

void Writer::setProvenance(const Campaign& campaign) {
    post([campaign](Repositories& repositories) { return repositories.campaigns.setProvenance(campaign); });
}

void Writer::flush() {
    (void)call([](Repositories&) { return Expected<>(); });
}

void Writer::stop() {
    {
        const QMutexLocker lock(&gate_);
        if (!accepting_)
            return;
        accepting_ = false;
        // Last in the queue: the connection must be closed on the thread that opened it.
        QMetaObject::invokeMethod(
            context_,
            [this] {
                connection_.reset();
                thread_.quit();
            },
            Qt::QueuedConnection);
    }
    thread_.wait();
}

} // namespace quantscope::storage
