// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/results/chart_tabs.h"

#include "ui/charts/chart_view.h"
#include "ui/setup/check_box.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QVBoxLayout>

namespace quantscope::ui {

namespace {

QCheckBox* logBox() {
    auto* box = new CheckBox(QStringLiteral("&Logarithmic"));
    box->setAccessibleName(QStringLiteral("Logarithmic x axis"));
    return box;
}

QComboBox* metricBox(const QList<std::pair<QString, XMetric>>& metrics, const QString& accessibleName) {
    auto* box = new QComboBox;
    for (const auto& [text, metric] : metrics)
        box->addItem(text, static_cast<int>(metric));
    box->setAccessibleName(accessibleName);
    return box;
}

QWidget* controlRow(const QString& text, QComboBox* metric, QCheckBox* log) {
    auto* row = new QWidget;
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(10, 6, 10, 0);
    auto* label = new QLabel(text);
    label->setBuddy(metric);
    layout->addWidget(label);
    layout->addWidget(metric);
    layout->addWidget(log);
    layout->addStretch(1);
    return row;
}

} // namespace

ChartTabs::ChartTabs(QWidget* parent) : QTabWidget(parent) {
    setDocumentMode(true);
    QWidget* tradeOff = tradeOffControls();
    QWidget* latency = latencyControls();
    addChart(ChartKind::TradeOff, QStringLiteral("Trade-off"), tradeOff);
    addChart(ChartKind::Latency, QStringLiteral("Latency"), latency);
    addChart(ChartKind::Memory, QStringLiteral("Memory"), nullptr);
    connect(this, &QTabWidget::currentChanged, this, &ChartTabs::showCurrent);
}

QWidget* ChartTabs::tradeOffControls() {
    xMetric_ = metricBox({{QStringLiteral("TPOT p50"), XMetric::TpotP50},
                          {QStringLiteral("TTFT p50"), XMetric::TtftP50},
                          {QStringLiteral("Tokens per second"), XMetric::TokensPerSecond},
                          {QStringLiteral("Memory"), XMetric::Memory},
                          {QStringLiteral("Energy per token"), XMetric::Energy}},
                         QStringLiteral("What stands on the x axis"));
    logX_ = logBox();
    xMetric_->setObjectName(QStringLiteral("xMetric"));
    logX_->setObjectName(QStringLiteral("logX"));
    const auto apply = [this] { charts_[0]->setAxis(xMetric(), logX()); };
    connect(xMetric_, &QComboBox::currentIndexChanged, this, apply);
    connect(logX_, &QCheckBox::toggled, this, apply);
    return controlRow(QStringLiteral("pass@1 against"), xMetric_, logX_);
}

QWidget* ChartTabs::latencyControls() {
    latencyMetric_ = metricBox({{QStringLiteral("TPOT, per output token"), XMetric::TpotP50},
                                {QStringLiteral("TTFT, to the first token"), XMetric::TtftP50}},
                               QStringLiteral("Which latency"));
    latencyLog_ = logBox();
    const auto apply = [this] {
        charts_[1]->setAxis(static_cast<XMetric>(latencyMetric_->currentData().toInt()),
                            latencyLog_->isChecked());
    };
    connect(latencyMetric_, &QComboBox::currentIndexChanged, this, apply);
    connect(latencyLog_, &QCheckBox::toggled, this, apply);
    return controlRow(QStringLiteral("Percentiles of"), latencyMetric_, latencyLog_);
}

ChartView* ChartTabs::addChart(ChartKind kind, const QString& title, QWidget* controls) {
    auto* chart = new ChartView(kind);
    chart->setAccessibleName(title + QStringLiteral(" chart; the runs table below holds the same numbers"));
    auto* page = new QWidget;
    page->setAutoFillBackground(true);
    page->setBackgroundRole(QPalette::Base);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    if (controls != nullptr)
        layout->addWidget(controls);
    layout->addWidget(chart, 1);
    charts_ += chart;
    stale_ += false;
    addTab(page, title);
    connect(chart, &ChartView::runSelected, this, &ChartTabs::runSelected);
    return chart;
}

ChartView* ChartTabs::currentChart() const {
    return charts_[currentIndex()];
}

void ChartTabs::setAxis(XMetric metric, bool logX) {
    xMetric_->setCurrentIndex(std::max(0, xMetric_->findData(static_cast<int>(metric))));
    logX_->setChecked(logX);
}

XMetric ChartTabs::xMetric() const {
    return static_cast<XMetric>(xMetric_->currentData().toInt());
}

bool ChartTabs::logX() const {
    return logX_->isChecked();
}

void ChartTabs::setSummary(const storage::CampaignSummary& summary) {
    summary_ = summary;
    stale_.fill(true);
    showCurrent();
}

void ChartTabs::showCurrent() {
    const int index = currentIndex();
    if (!stale_[index])
        return;
    stale_[index] = false;
    charts_[index]->setSummary(summary_);
}

void ChartTabs::setSelectedRun(storage::Id runId) {
    for (ChartView* chart : charts_)
        chart->setSelectedRun(runId);
}

} // namespace quantscope::ui
