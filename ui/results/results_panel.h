// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QComboBox;
class QLabel;
class QSplitter;

namespace quantscope::ui {

class ChartTabs;
class MessageBanner;
class RunsView;

/// The right side: which campaign, the answer in words, charts and runs table.
class ResultsPanel : public QWidget {
    Q_OBJECT

  public:
    explicit ResultsPanel(QWidget* parent = nullptr);

    void setCampaigns(const QList<storage::Campaign>& campaigns);
    void setSummary(const storage::CampaignSummary& summary, bool running);

    [[nodiscard]] const storage::CampaignSummary& summary() const { return summary_; }
    [[nodiscard]] ChartTabs* charts() const { return charts_; }
    [[nodiscard]] RunsView* runs() const { return runs_; }
    [[nodiscard]] MessageBanner* banner() const { return banner_; }
    [[nodiscard]] QComboBox* campaignBox() const { return campaigns_; }
    [[nodiscard]] QSplitter* splitter() const { return splitter_; }

  Q_SIGNALS:
    void campaignSelected(quantscope::storage::Id campaignId);
    void baselineSelected(quantscope::storage::Id runId);

  private:
    void showShownCampaign();

    QComboBox* campaigns_;
    MessageBanner* banner_;
    QLabel* headline_;
    QLabel* demoNote_;
    ChartTabs* charts_;
    RunsView* runs_;
    QSplitter* splitter_;
    storage::CampaignSummary summary_;
};

/// The answer's place while there is no answer: says what is missing.
QString headlineFor(const storage::CampaignSummary& summary, bool running);

} // namespace quantscope::ui
