// SPDX-License-Identifier: Apache-2.0
#include "storage/writer.h"

#include <QMutexLocker>

namespace quantscope::storage {

class Writer::Connection {
  public:
    explicit Connection(std::unique_ptr<Database> database)
        : database_(std::move(database)), repositories(*database_) {}

  private:
    std::unique_ptr<Database> database_;

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
                writer->connection_ = std::make_unique<Connection>(std::move(*database));
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

bool Writer::enqueue(Task task) {
    const QMutexLocker lock(&gate_);
    if (!accepting_)
        return false;
    ++pending_;
    QMetaObject::invokeMethod(
        context_,
        [this, task = std::move(task)] {
            --pending_;
            task(connection_ ? &connection_->repositories : nullptr);
        },
        Qt::QueuedConnection);
    return true;
}

void Writer::post(Job job) {
    const bool accepted = enqueue([this, job = std::move(job)](Repositories* repositories) {
        const Expected<> done = repositories ? job(*repositories) : tl::unexpected(stoppedError());
        if (!done)
            Q_EMIT failed(done.error());
    });
    if (!accepted)
        Q_EMIT failed(stoppedError());
}

void Writer::store(const Sample& sample) {
    post([this, sample](Repositories& repositories) {
        return repositories.samples.insert(sample).map(
            [&](bool isNew) { Q_EMIT sampleStored(sample, isNew); });
    });
}

void Writer::store(const QList<LatencySample>& requests) {
    post([this, requests](Repositories& repositories) {
        return repositories.latencies.insert(requests).map([&](int) {
            if (!requests.isEmpty())
                Q_EMIT latencyStored(requests.first().runId, requests.first().round);
        });
    });
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
    post([problemsHash, problems](Repositories& repositories) {
        return repositories.problems.store(problemsHash, problems);
    });
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
