// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QLabel;
class QProgressBar;

namespace quantscope::ui {

/// The status bar's content: phase, progress, time left, sandbox and device.
class StatusPanel : public QWidget {
    Q_OBJECT

  public:
    explicit StatusPanel(QWidget* parent = nullptr);

    void setProgress(const storage::Progress& progress);
    void setRunning(bool running);
    void setHost(const storage::HostInfo& host);

  private:
    void showDevice(const QString& readings);

    QLabel* phase_;
    QProgressBar* bar_;
    QLabel* eta_;
    QLabel* sandbox_;
    QLabel* device_;
    QString deviceName_;
    bool running_ = false;
};

} // namespace quantscope::ui
