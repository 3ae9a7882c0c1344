// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/sampling_form.h"

#include "ui/setup/spin_range.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QRegularExpressionValidator>

#include <algorithm>

namespace quantscope::ui {

SamplingForm::SamplingForm(QWidget* parent)
    : QWidget(parent), samples_(new QSpinBox), temperature_(new QDoubleSpinBox), topP_(new QDoubleSpinBox),
      seed_(new QLineEdit), maxNewTokens_(new QSpinBox), promptForm_(new QComboBox) {
    setRange(samples_, limits::samples_per_problem);
    temperature_->setRange(limits::temperature.low, limits::temperature.high);
    temperature_->setSingleStep(0.1);
    temperature_->setSpecialValueText(QStringLiteral("0 (greedy)"));
    topP_->setDecimals(3);
    topP_->setRange(0.001, limits::top_p.high); // the smallest that the box can show
    topP_->setSingleStep(0.05);
    // Up to nineteen digits: every such number fits 64 bits.
    seed_->setValidator(
        new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), seed_));
    setRange(maxNewTokens_, limits::max_new_tokens);
    promptForm_->addItem(QStringLiteral("As suits the tokenizer"), QStringLiteral("auto"));
    promptForm_->addItem(QStringLiteral("As in the file"), QStringLiteral("raw"));
    promptForm_->addItem(QStringLiteral("Without white space at the end"), QStringLiteral("stripped"));
    promptForm_->setToolTip(QStringLiteral(
        "A model that is prompted in the middle of what is one token to it scores far too low. By itself the "
        "form is taken whose prompts more often end where a token of prompt and solution ends."));

    auto* form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(QStringLiteral("Samples a problem"), samples_);
    form->addRow(QStringLiteral("Temperature"), temperature_);
    form->addRow(QStringLiteral("Top-p"), topP_);
    form->addRow(QStringLiteral("Seed"), seed_);
    form->addRow(QStringLiteral("Max new tokens"), maxNewTokens_);

    form->addRow(QStringLiteral("Prompt"), promptForm_);

    connect(promptForm_, &QComboBox::currentIndexChanged, this, &SamplingForm::changed);
    connect(samples_, &QSpinBox::valueChanged, this, &SamplingForm::changed);
    connect(temperature_, &QDoubleSpinBox::valueChanged, this, [this](double temperature) {
        topP_->setEnabled(temperature > 0.0);
        Q_EMIT changed();
    });
    connect(topP_, &QDoubleSpinBox::valueChanged, this, &SamplingForm::changed);
    connect(seed_, &QLineEdit::textChanged, this, &SamplingForm::changed);
    connect(maxNewTokens_, &QSpinBox::valueChanged, this, &SamplingForm::changed);
    setValue({});
}

storage::Sampling SamplingForm::value() const {
    storage::Sampling sampling;
    sampling.samplesPerProblem = samples_->value();
    sampling.temperature = temperature_->value();
    sampling.topP = topP_->value();
    sampling.seed = seed_->text().toULongLong();
    sampling.maxNewTokens = maxNewTokens_->value();
    sampling.promptForm = promptForm_->currentData().toString();
    return sampling;
}

void SamplingForm::setValue(const storage::Sampling& sampling) {
    samples_->setValue(sampling.samplesPerProblem);
    temperature_->setValue(sampling.temperature);
    topP_->setValue(sampling.topP);
    topP_->setEnabled(sampling.temperature > 0.0);
    seed_->setText(QString::number(sampling.seed));
    maxNewTokens_->setValue(sampling.maxNewTokens);
    promptForm_->setCurrentIndex(std::max(0, promptForm_->findData(sampling.promptForm)));
}

} // namespace quantscope::ui
