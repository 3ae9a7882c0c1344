// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/setup_panel.h"

#include "ui/setup/batch_picker.h"
#include "ui/setup/budget_form.h"
#include "ui/setup/check_box.h"
#include "ui/setup/hint_label.h"
#include "ui/setup/host_form.h"
#include "ui/setup/latency_form.h"
#include "ui/setup/path_choice.h"
#include "ui/setup/sampling_form.h"
#include "ui/setup/scheme_picker.h"
#include "ui/setup/section.h"
#include "ui/setup/spec_check.h"

#include <QFormLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSpinBox>
#include <QVBoxLayout>

namespace quantscope::ui {

namespace {

Section* addSection(QVBoxLayout* layout, const QString& title, QWidget* content,
                    Section::Folding folding = Section::Open) {
    auto* section = new Section(title, folding);
    section->setContent(content);
    layout->addWidget(section);
    return section;
}

} // namespace

SetupPanel::SetupPanel(QWidget* parent)
    : QWidget(parent), model_(new PathChoice(PathChoice::Folder, QStringLiteral("Demo model (shipped)"),
                                             QStringLiteral("Hugging Face folder…"))),
      problems_(new PathChoice(PathChoice::File, QStringLiteral("Demo problems (not HumanEval)"),
                               QStringLiteral("HumanEval file…"),
                               QStringLiteral("Problems (*.jsonl *.jsonl.gz);;All files (*)"))),
      schemes_(new SchemePicker), batches_(new BatchPicker), host_(new HostForm), sampling_(new SamplingForm),
      latency_(new LatencyForm), budget_(new BudgetForm), name_(new QLineEdit), limit_(new QSpinBox),
      evalEnabled_(new CheckBox(QStringLiteral("pass@1 on the problems"))),
      latencyEnabled_(new CheckBox(QStringLiteral("Latency and memory"))), scroll_(new QScrollArea),
      messages_(new HintLabel({}, HintLabel::Warning)),
      startButton_(new QPushButton(QStringLiteral("Start"))),
      stopButton_(new QPushButton(QStringLiteral("Stop"))) {
    scroll_->setWidget(makeForm());
    scroll_->setWidgetResizable(true);
    scroll_->setFrameShape(QFrame::NoFrame);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->setMinimumWidth(scroll_->widget()->minimumSizeHint().width() +
                             scroll_->verticalScrollBar()->sizeHint().width());
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(scroll_, 1);
    layout->addWidget(makeButtons());

    connect(model_, &PathChoice::changed, this, &SetupPanel::revalidate);
    connect(problems_, &PathChoice::changed, this, &SetupPanel::revalidate);
    connect(schemes_, &SchemePicker::changed, this, &SetupPanel::revalidate);
    connect(batches_, &BatchPicker::changed, this, &SetupPanel::revalidate);
    connect(sampling_, &SamplingForm::changed, this, &SetupPanel::revalidate);
    connect(host_, &HostForm::changed, this, &SetupPanel::revalidate);
    connect(host_, &HostForm::refreshRequested, this, &SetupPanel::refreshHostRequested);
    connect(evalEnabled_, &QCheckBox::toggled, this, &SetupPanel::revalidate);
    connect(latencyEnabled_, &QCheckBox::toggled, this, &SetupPanel::revalidate);
    revalidate();
}

void SetupPanel::addPaths(QVBoxLayout* layout) {
    model_->setObjectName(QStringLiteral("model"));
    problems_->setObjectName(QStringLiteral("problems"));
    model_->setAccessibleNames(QStringLiteral("Model"));
    problems_->setAccessibleNames(QStringLiteral("Problems"));
    addSection(layout, QStringLiteral("Model"), model_);
    addSection(layout, QStringLiteral("Run on"), host_);
    addSection(layout, QStringLiteral("Schemes"), schemes_);
    addSection(layout, QStringLiteral("Batch sizes"), batches_);
    addSection(layout, QStringLiteral("Problems"), problems_);
}

void SetupPanel::addMeasures(QVBoxLayout* layout) {
    evalEnabled_->setObjectName(QStringLiteral("evalEnabled"));
    latencyEnabled_->setObjectName(QStringLiteral("latencyEnabled"));
    limit_->setObjectName(QStringLiteral("limit"));
    name_->setObjectName(QStringLiteral("name"));
    limit_->setRange(0, 1000000);
    limit_->setSpecialValueText(QStringLiteral("all problems"));
    limit_->setPrefix(QStringLiteral("first "));
    name_->setPlaceholderText(QStringLiteral("made from model and date"));
    auto* measures = new QWidget;
    auto* form = new QFormLayout(measures);
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(evalEnabled_);
    form->addRow(latencyEnabled_);
    form->addRow(QStringLiteral("Limit"), limit_);
    form->addRow(QStringLiteral("Name"), name_);
    addSection(layout, QStringLiteral("Measure"), measures);
    addSection(layout, QStringLiteral("Real-time budget"), budget_);
    addSection(layout, QStringLiteral("Sampling"), sampling_, Section::Foldable)
        ->setObjectName(QStringLiteral("sampling"));
    addSection(layout, QStringLiteral("Latency measurement"), latency_, Section::Foldable)
        ->setObjectName(QStringLiteral("latency"));
}

QWidget* SetupPanel::makeForm() {
    auto* form = new QWidget;
    auto* layout = new QVBoxLayout(form);
    layout->setContentsMargins(10, 10, 10, 10);
    layout->setSpacing(12);
    addPaths(layout);
    addMeasures(layout);
    layout->addStretch(1);
    return form;
}

QWidget* SetupPanel::makeButtons() {
    messages_->setObjectName(QStringLiteral("messages"));
    messages_->setAccessibleName(QStringLiteral("What keeps the campaign from starting"));
    startButton_->setObjectName(QStringLiteral("start"));
    stopButton_->setObjectName(QStringLiteral("stop"));
    startButton_->setDefault(true);
    startButton_->setToolTip(
        QStringLiteral("Runs every ticked scheme at every ticked batch size (Ctrl+Return)."));
    stopButton_->setToolTip(QStringLiteral("Stops the campaign and keeps what it has measured (Esc)."));
    connect(startButton_, &QPushButton::clicked, this, &SetupPanel::start);
    connect(stopButton_, &QPushButton::clicked, this, &SetupPanel::stop);
    auto* buttons = new QWidget;
    auto* row = new QHBoxLayout;
    row->addWidget(startButton_, 2);
    row->addWidget(stopButton_, 1);
    auto* layout = new QVBoxLayout(buttons);
    layout->setContentsMargins(10, 8, 10, 8);
    layout->addWidget(messages_);
    layout->addLayout(row);
    return buttons;
}

storage::CampaignSpec SetupPanel::spec() const {
    storage::CampaignSpec spec;
    spec.name = name_->text().trimmed();
    spec.model = model_->value();
    spec.problems = problems_->value();
    spec.backend = host_->backend();
    spec.launcher = host_->launcher();
    spec.schemes = schemes_->ticked();
    spec.batchSizes = batches_->ticked();
    spec.limit = limit_->value();
    spec.evalEnabled = evalEnabled_->isChecked();
    spec.sampling = sampling_->value();
    spec.latency = latency_->value();
    spec.latency.enabled = latencyEnabled_->isChecked();
    spec.budget = budget_->value();
    return spec;
}

void SetupPanel::setSpec(const storage::CampaignSpec& spec) {
    name_->setText(spec.name);
    model_->setValue(spec.model);
    problems_->setValue(spec.problems);
    host_->setValue(spec.backend, spec.launcher);
    schemes_->setTicked(spec.schemes);
    batches_->setTicked(spec.batchSizes);
    limit_->setValue(spec.limit);
    evalEnabled_->setChecked(spec.evalEnabled);
    sampling_->setValue(spec.sampling);
    latency_->setValue(spec.latency);
    latencyEnabled_->setChecked(spec.latency.enabled);
    budget_->setValue(spec.budget);
    revalidate();
}

void SetupPanel::setHost(const storage::HostInfo& host) {
    host_->setHost(host);
    schemes_->setAvailable(host.schemes);
}

QStringList SetupPanel::problems() const {
    return specProblems(spec(), schemes_->unknownTicked());
}

void SetupPanel::revalidate() {
    const QStringList found = problems();
    messages_->setText(found.join(u'\n'));
    messages_->setVisible(!found.isEmpty() && !running_);
    problems_->setEnabled(evalEnabled_->isChecked());
    sampling_->setEnabled(evalEnabled_->isChecked());
    latency_->setEnabled(latencyEnabled_->isChecked());
    startButton_->setEnabled(!running_ && found.isEmpty());
    stopButton_->setEnabled(running_);
    Q_EMIT stateChanged();
}

void SetupPanel::setRunning(bool running) {
    running_ = running;
    scroll_->widget()->setEnabled(!running);
    startButton_->setText(running ? QStringLiteral("Running…") : QStringLiteral("Start"));
    revalidate();
}

void SetupPanel::start() {
    if (!running_ && problems().isEmpty())
        Q_EMIT startRequested(spec());
}

void SetupPanel::stop() {
    if (running_)
        Q_EMIT stopRequested();
}

} // namespace quantscope::ui
