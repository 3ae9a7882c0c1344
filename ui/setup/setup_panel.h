// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QCheckBox;
class QLineEdit;
class QPushButton;
class QScrollArea;
class QSpinBox;
class QVBoxLayout;

namespace quantscope::ui {

class BatchPicker;
class BudgetForm;
class HintLabel;
class HostForm;
class LatencyForm;
class PathChoice;
class SamplingForm;
class SchemePicker;

/// The left side: what to run, and Start and Stop. The form scrolls, the buttons stay.
class SetupPanel : public QWidget {
    Q_OBJECT

  public:
    explicit SetupPanel(QWidget* parent = nullptr);

    [[nodiscard]] storage::CampaignSpec spec() const;
    void setSpec(const storage::CampaignSpec& spec);
    void setHost(const storage::HostInfo& host);
    [[nodiscard]] HostForm* host() const { return host_; }
    void setRunning(bool running);
    /// Empty when Start may be pressed.
    [[nodiscard]] QStringList problems() const;

  public Q_SLOTS:
    /// As the buttons: nothing happens while there are problems, or in the wrong state.
    void start();
    void stop();

  Q_SIGNALS:
    void startRequested(const quantscope::storage::CampaignSpec& spec);
    void stopRequested();
    void refreshHostRequested(const QString& backend, const QStringList& launcher);
    void stateChanged(); ///< of what start() and stop() would do

  private:
    [[nodiscard]] QWidget* makeForm();
    [[nodiscard]] QWidget* makeButtons();
    void addPaths(QVBoxLayout* layout);
    void addMeasures(QVBoxLayout* layout);
    void revalidate();

    PathChoice* model_;
    PathChoice* problems_;
    SchemePicker* schemes_;
    BatchPicker* batches_;
    HostForm* host_;
    SamplingForm* sampling_;
    LatencyForm* latency_;
    BudgetForm* budget_;
    QLineEdit* name_;
    QSpinBox* limit_;
    QCheckBox* evalEnabled_;
    QCheckBox* latencyEnabled_;
    QScrollArea* scroll_;
    HintLabel* messages_;
    QPushButton* startButton_;
    QPushButton* stopButton_;
    bool running_ = false;
};

} // namespace quantscope::ui
