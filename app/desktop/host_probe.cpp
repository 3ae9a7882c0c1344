// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/host_probe.h"

#include "app/campaign/event_rows.h"

namespace quantscope::desktop {

using campaign::WorkerProcess;

void HostProbe::probe(const QStringList& launcher) {
    cancel();
    worker_ = std::make_unique<WorkerProcess>(campaign::workerCommand(launcher), patience_);
    connect(worker_.get(), &WorkerProcess::waiting, this,
            [this, launcher](int seconds, const QString& words) {
                Q_EMIT awaiting(campaign::waitingSentence(launcher, seconds, words));
            });
    connect(worker_.get(), &WorkerProcess::eventReceived, this, [this](const protocol::Event& event) {
        if (const auto* hello = std::get_if<protocol::HelloEvent>(&event.body)) {
            Q_EMIT hostKnown(campaign::hostInfo(*hello));
            worker_->shutdown();
        }
    });
    connect(worker_.get(), &WorkerProcess::ended, this, [this](const campaign::WorkerEnd& end) {
        worker_.release()->deleteLater();
        if (end.error) {
            Q_EMIT failed(QString::fromStdString(end.error->message),
                          QString::fromStdString(end.error->hint));
        }
    });
    worker_->start();
}

void HostProbe::cancel() {
    if (!worker_) {
        return;
    }
    WorkerProcess* worker = worker_.release();
    worker->disconnect(this);
    worker->setParent(this); // until it has ended, or we have
    connect(worker, &WorkerProcess::ended, worker, &QObject::deleteLater);
    worker->terminate();
}

} // namespace quantscope::desktop
