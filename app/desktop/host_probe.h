// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/worker_process.h"
#include "storage/values.h"

#include <QObject>

#include <memory>

namespace quantscope::desktop {

/// Asks a worker who it is: starts one, reads its hello, lets it go. A new question drops the old one. Behind
/// a launcher it waits as long as WorkerPatience says, and tells meanwhile what came.
class HostProbe : public QObject {
    Q_OBJECT

  public:
    using QObject::QObject;
    void probe(const QStringList& launcher);
    void cancel(); ///< no answer is wanted any more; nothing is emitted
    void setPatience(const campaign::WorkerPatience& patience) { patience_ = patience; }

  Q_SIGNALS:
    void awaiting(const QString& sentence);
    void hostKnown(const quantscope::storage::HostInfo& host);
    void failed(const QString& message, const QString& hint);

  private:
    campaign::WorkerPatience patience_;
    std::unique_ptr<campaign::WorkerProcess> worker_;
};

} // namespace quantscope::desktop
