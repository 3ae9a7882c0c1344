// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/host_form.h"

#include "ui/numbers/format.h"
#include "ui/setup/hint_label.h"

#include <QComboBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QProcess>
#include <QPushButton>

namespace quantscope::ui {

namespace {

const QString asking = QStringLiteral("Asking the engine for its devices…");

/// So that QProcess::splitCommand gives the same words back.
QString joinCommand(const QStringList& words) {
    QStringList quoted;
    for (QString word : words) {
        word.replace(u'"', QStringLiteral("\"\"\""));
        quoted += word.isEmpty() || word.contains(u' ') ? u'"' + word + u'"' : word;
    }
    return quoted.join(u' ');
}

} // namespace

HostForm::HostForm(QWidget* parent)
    : QWidget(parent), backend_(new QComboBox), launcher_(new QLineEdit), devices_(new HintLabel),
      cancel_(new QPushButton(QStringLiteral("Cancel"))) {
    backend_->addItem(QStringLiteral("Automatic"), QStringLiteral("auto"));
    backend_->addItem(QStringLiteral("CPU"), QStringLiteral("cpu"));
    backend_->addItem(QStringLiteral("CUDA"), QStringLiteral("cuda"));
    launcher_->setPlaceholderText(QStringLiteral("this machine"));
    launcher_->setToolTip(
        QStringLiteral("A command that starts the worker elsewhere, for example “ssh gpu-host” or "
                       "“srun -N1 --gres=gpu:1”. Empty: this machine."));
    backend_->setObjectName(QStringLiteral("backend"));
    launcher_->setObjectName(QStringLiteral("launcher"));
    auto* refresh = new QPushButton(QStringLiteral("Refresh"));
    refresh->setToolTip(QStringLiteral("Asks the host again for its devices and schemes."));
    auto* hostRow = new QHBoxLayout;
    hostRow->addWidget(launcher_, 1);
    hostRow->addWidget(refresh);
    backend_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    auto* form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(QStringLiteral("Backend"), backend_);
    form->addRow(QStringLiteral("Host"), hostRow);
    devices_->setObjectName(QStringLiteral("devices"));
    cancel_->setObjectName(QStringLiteral("cancelHost"));
    cancel_->setToolTip(QStringLiteral("Stops asking this host; Refresh asks again."));
    form->addRow(devices_);
    form->addRow(cancel_);
    setAwaited(asking);
    launcher_->setAccessibleName(QStringLiteral("Host: command that starts the worker there"));

    connect(backend_, &QComboBox::currentIndexChanged, this, [this] {
        Q_EMIT changed();
        requestRefresh();
    });
    connect(launcher_, &QLineEdit::textChanged, this, &HostForm::changed);
    connect(launcher_, &QLineEdit::editingFinished, this, [this] {
        if (asked_ != launcher() + QStringList{backend()})
            requestRefresh();
    });
    connect(refresh, &QPushButton::clicked, this, &HostForm::requestRefresh);
    connect(cancel_, &QPushButton::clicked, this, &HostForm::cancelRequested);
    asked_ = {backend()};
}

QString HostForm::backend() const {
    return backend_->currentData().toString();
}

QStringList HostForm::launcher() const {
    return QProcess::splitCommand(launcher_->text());
}

void HostForm::setValue(const QString& backend, const QStringList& launcher) {
    const QSignalBlocker blocker(backend_);
    if (backend_->findData(backend) < 0)
        backend_->addItem(backend, backend);
    backend_->setCurrentIndex(backend_->findData(backend));
    launcher_->setText(joinCommand(launcher));
    asked_ = this->launcher() + QStringList{backend};
    Q_EMIT changed();
}

void HostForm::requestRefresh() {
    asked_ = launcher() + QStringList{backend()};
    setAwaited(asking);
    Q_EMIT refreshRequested(backend(), launcher());
}

void HostForm::setAwaited(const QString& sentence) {
    devices_->setText(sentence);
    cancel_->setVisible(true);
}

void HostForm::setUnknown(const QString& reason) {
    devices_->setText(reason);
    cancel_->setVisible(false);
}

void HostForm::setHost(const storage::HostInfo& host) {
    QStringList lines;
    for (const storage::DeviceInfoRow& device : host.devices) {
        QStringList facts{device.name};
        if (!device.detail.isEmpty())
            facts += device.detail;
        if (device.memoryBytes > 0)
            facts += formatBytes(static_cast<double>(device.memoryBytes));
        lines += QStringLiteral("%1: %2").arg(device.backend, facts.join(QStringLiteral(", ")));
    }
    cancel_->setVisible(false);
    devices_->setText(lines.isEmpty() ? QStringLiteral("The engine named no device.") : lines.join(u'\n'));
}

} // namespace quantscope::ui
