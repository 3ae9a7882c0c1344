// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"
#include "ui/charts/chart_options.h"

#include <QTabWidget>

class QCheckBox;
class QComboBox;

namespace quantscope::ui {

class ChartView;

/// Trade-off, latency and memory, each with its own axis choice; only the chart that is seen is drawn.
class ChartTabs : public QTabWidget {
    Q_OBJECT

  public:
    explicit ChartTabs(QWidget* parent = nullptr);

    void setSummary(const storage::CampaignSummary& summary);
    void setSelectedRun(storage::Id runId);

    [[nodiscard]] ChartView* currentChart() const;
    void setAxis(XMetric metric, bool logX);
    [[nodiscard]] XMetric xMetric() const;
    [[nodiscard]] bool logX() const;

  Q_SIGNALS:
    void runSelected(quantscope::storage::Id runId);

  private:
    ChartView* addChart(ChartKind kind, const QString& title, QWidget* controls);
    [[nodiscard]] QWidget* tradeOffControls();
    [[nodiscard]] QWidget* latencyControls();
    void showCurrent();

    QList<ChartView*> charts_;
    QComboBox* xMetric_ = nullptr;
    QCheckBox* logX_ = nullptr;
    QComboBox* latencyMetric_ = nullptr;
    QCheckBox* latencyLog_ = nullptr;
    storage::CampaignSummary summary_;
    QList<bool> stale_; ///< chart i has not drawn summary_ yet
};

} // namespace quantscope::ui
