// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

class QSocketNotifier;

namespace quantscope::cli {

/// SIGINT and SIGTERM as a signal in the event loop, once for each. One watcher at a time.
class InterruptWatcher : public QObject {
    Q_OBJECT

  public:
    explicit InterruptWatcher(QObject* parent = nullptr);
    ~InterruptWatcher() override; ///< gives the signals their default meaning back

  Q_SIGNALS:
    void interrupted();

  private:
    void readPipe();
    QSocketNotifier* notifier_ = nullptr;
};

} // namespace quantscope::cli
