// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/sampling_form.h"

#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QRegularExpressionValidator>

namespace quantscope::ui {

SamplingForm::SamplingForm(QWidget* parent)
    : QWidget(parent), samples_(new QSpinBox), temperature_(new QDoubleSpinBox), topP_(new QDoubleSpinBox),
      seed_(new QLineEdit), maxNewTokens_(new QSpinBox) {
    samples_->setRange(1, 1000);
    temperature_->setRange(0.0, 2.0);
    temperature_->setSingleStep(0.1);
    temperature_->setSpecialValueText(QStringLiteral("0 (greedy)"));
    topP_->setRange(0.01, 1.0);
    topP_->setSingleStep(0.05);
    // Up to nineteen digits: every such number fits 64 bits.
    seed_->setValidator(
        new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), seed_));
    maxNewTokens_->setRange(1, 32768);

    auto* form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(QStringLiteral("Samples a problem"), samples_);
    form->addRow(QStringLiteral("Temperature"), temperature_);
    form->addRow(QStringLiteral("Top-p"), topP_);
    form->addRow(QStringLiteral("Seed"), seed_);
    form->addRow(QStringLiteral("Max new tokens"), maxNewTokens_);

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
    return sampling;
}

void SamplingForm::setValue(const storage::Sampling& sampling) {
    samples_->setValue(sampling.samplesPerProblem);
    temperature_->setValue(sampling.temperature);
    topP_->setValue(sampling.topP);
    topP_->setEnabled(sampling.temperature > 0.0);
    seed_->setText(QString::number(sampling.seed));
    maxNewTokens_->setValue(sampling.maxNewTokens);
}

} // namespace quantscope::ui
