// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/status_panel.h"

#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>

#include <algorithm>

namespace quantscope::ui {

StatusPanel::StatusPanel(QWidget* parent)
    : QWidget(parent), phase_(new QLabel), bar_(new QProgressBar), eta_(new QLabel), sandbox_(new QLabel),
      device_(new QLabel) {
    phase_->setObjectName(QStringLiteral("phase"));
    eta_->setObjectName(QStringLiteral("eta"));
    sandbox_->setObjectName(QStringLiteral("sandbox"));
    device_->setObjectName(QStringLiteral("device"));
    phase_->setAccessibleName(QStringLiteral("Phase"));
    bar_->setAccessibleName(QStringLiteral("Progress of the campaign"));
    bar_->setFixedWidth(180);
    bar_->setMaximumHeight(fontMetrics().height() + 4);
    // The phase gives way first: its full text is its tool tip.
    phase_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(6, 0, 6, 0);
    layout->setSpacing(14);
    layout->addWidget(phase_, 1);
    layout->addWidget(bar_);
    layout->addWidget(eta_);
    layout->addWidget(sandbox_);
    layout->addWidget(device_);
    setRunning(false);
    setHost({});
}

void StatusPanel::setProgress(const storage::Progress& progress) {
    if (!running_)
        return;
    phase_->setText(progress.phase);
    phase_->setToolTip(progress.phase);
    bar_->setRange(0, std::max(0, progress.total)); // 0 to 0 is Qt's "busy"
    bar_->setValue(std::clamp(progress.done, 0, std::max(0, progress.total)));
    QStringList facts;
    if (progress.total > 0)
        facts += QStringLiteral("%1 / %2").arg(progress.done).arg(progress.total);
    if (progress.etaSeconds)
        facts += formatDuration(*progress.etaSeconds) + QStringLiteral(" left");
    if (progress.tokensPerSecond > 0.0)
        facts += formatNumber(progress.tokensPerSecond) + QStringLiteral(" tokens/s");
    eta_->setText(facts.join(QStringLiteral(" · ")));
    showDevice(deviceReadings(progress.device));
}

void StatusPanel::showDevice(const QString& readings) {
    device_->setText(readings.isEmpty() ? deviceName_ : readings); // its name is in the tool tip
}

void StatusPanel::setRunning(bool running) {
    running_ = running;
    bar_->setVisible(running);
    eta_->setVisible(running);
    phase_->setText(running ? QStringLiteral("Starting…") : QStringLiteral("Ready"));
    phase_->setToolTip({});
    eta_->clear();
    bar_->setRange(0, 0);
    showDevice({});
}

void StatusPanel::setHost(const storage::HostInfo& host) {
    const bool answered = !host.workerVersion.isEmpty() || !host.devices.isEmpty() || !host.schemes.isEmpty();
    sandbox_->setVisible(answered);
    sandbox_->setText(host.sandboxAvailable ? QStringLiteral("Sandbox: on")
                                            : QStringLiteral("Sandbox: off, samples stay unscored"));
    sandbox_->setToolTip(
        host.sandboxAvailable
            ? QStringLiteral("Every completion runs under bubblewrap, without network or files.")
            : host.sandboxMessage);
    deviceName_ = !answered                ? QStringLiteral("Engine: no answer yet")
                  : host.devices.isEmpty() ? QStringLiteral("No device")
                                           : host.devices.first().name;
    showDevice({});
    device_->setToolTip(host.devices.isEmpty()
                            ? QString()
                            : host.devices.first().name + QLatin1Char('\n') + host.devices.first().detail);
}

} // namespace quantscope::ui
