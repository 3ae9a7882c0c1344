// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/results/results_panel.h"

#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"
#include "ui/results/chart_tabs.h"
#include "ui/results/message_banner.h"
#include "ui/runs/runs_view.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSplitter>

namespace quantscope::ui {

namespace {

QString campaignText(const storage::Campaign& campaign) {
    const QString name = campaign.spec.name.isEmpty() ? modelName(campaign.spec) : campaign.spec.name;
    return QStringLiteral("%1 · %2 · %3")
        .arg(name, formatDateTime(campaign.createdAt), statusWord(campaign.status));
}

} // namespace

QString headlineFor(const storage::CampaignSummary& summary, bool running) {
    if (!summary.headline.isEmpty())
        return summary.headline;
    if (running)
        return QStringLiteral("Measuring. The answer stands here as soon as two schemes can be compared.");
    if (summary.campaign.id == 0)
        return QStringLiteral("What does quantization cost in pass@1, and what does it buy in latency?");
    return QStringLiteral("No answer yet: this campaign has no two schemes that can be compared.");
}

ResultsPanel::ResultsPanel(QWidget* parent)
    : QWidget(parent), campaigns_(new QComboBox), banner_(new MessageBanner), headline_(new QLabel),
      demoNote_(new QLabel(QStringLiteral("Demo problems: not HumanEval"))), charts_(new ChartTabs),
      runs_(new RunsView), splitter_(new QSplitter(Qt::Vertical)) {
    auto* label = new QLabel(QStringLiteral("C&ampaign"));
    label->setBuddy(campaigns_);
    campaigns_->setObjectName(QStringLiteral("campaigns"));
    campaigns_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    campaigns_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    campaigns_->setPlaceholderText(QStringLiteral("none yet"));
    campaigns_->setEnabled(false);
    demoNote_->setObjectName(QStringLiteral("demoNote"));
    demoNote_->hide();
    auto* top = new QHBoxLayout;
    top->setContentsMargins(10, 8, 10, 0);
    top->addWidget(label);
    top->addWidget(campaigns_, 1);
    top->addWidget(demoNote_);

    headline_->setObjectName(QStringLiteral("headline"));
    headline_->setWordWrap(true);
    headline_->setTextFormat(Qt::PlainText);
    headline_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    headline_->setContentsMargins(10, 4, 10, 6);
    QFont large = headline_->font();
    large.setPointSizeF(large.pointSizeF() * 1.2);
    headline_->setFont(large);

    splitter_->addWidget(charts_);
    splitter_->addWidget(runs_);
    splitter_->setStretchFactor(0, 1);
    splitter_->setStretchFactor(1, 1);
    splitter_->setChildrenCollapsible(false);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    layout->addLayout(top);
    layout->addWidget(banner_);
    layout->addWidget(headline_);
    layout->addWidget(splitter_, 1);

    connect(charts_, &ChartTabs::runSelected, runs_, &RunsView::selectRun);
    connect(runs_, &RunsView::runSelected, charts_, &ChartTabs::setSelectedRun);
    connect(runs_, &RunsView::baselineRequested, this, &ResultsPanel::baselineSelected);
    connect(campaigns_, &QComboBox::activated, this,
            [this](int index) { Q_EMIT campaignSelected(campaigns_->itemData(index).toLongLong()); });
    setSummary({}, false);
}

void ResultsPanel::setCampaigns(const QList<storage::Campaign>& campaigns) {
    const QSignalBlocker blocker(campaigns_);
    campaigns_->clear();
    for (const storage::Campaign& campaign : campaigns)
        campaigns_->addItem(campaignText(campaign), campaign.id);
    campaigns_->setEnabled(!campaigns.isEmpty());
    showShownCampaign();
}

void ResultsPanel::showShownCampaign() {
    const QSignalBlocker blocker(campaigns_);
    campaigns_->setCurrentIndex(campaigns_->findData(summary_.campaign.id));
}

void ResultsPanel::setSummary(const storage::CampaignSummary& summary, bool running) {
    summary_ = summary;
    headline_->setText(headlineFor(summary, running));
    demoNote_->setVisible(summary.campaign.id != 0 && usesDemoProblems(summary.campaign.spec));
    charts_->setSummary(summary);
    runs_->setSummary(summary);
    charts_->setSelectedRun(runs_->currentRun());
    showShownCampaign();
}

} // namespace quantscope::ui
