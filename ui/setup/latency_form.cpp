// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/latency_form.h"

#include "ui/setup/hint_label.h"
#include "ui/setup/spin_range.h"

#include <QFormLayout>
#include <QSpinBox>

namespace quantscope::ui {

LatencyForm::LatencyForm(QWidget* parent)
    : QWidget(parent), promptTokens_(new QSpinBox), outputTokens_(new QSpinBox), requests_(new QSpinBox) {
    setRange(promptTokens_, limits::latency_prompt_tokens);
    setRange(outputTokens_, limits::latency_output_tokens);
    setRange(requests_, limits::latency_requests);
    auto* form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(QStringLiteral("Prompt tokens"), promptTokens_);
    form->addRow(QStringLiteral("Output tokens"), outputTokens_);
    requests_->setToolTip(QStringLiteral("A p99 is judged to be inside a budget from 299 rounds up."));
    form->addRow(QStringLiteral("Timed rounds"), requests_);
    form->addRow(
        new HintLabel(QStringLiteral("After one warm-up; a round is one full batch. Schemes take turns.")));
    for (QSpinBox* box : {promptTokens_, outputTokens_, requests_})
        connect(box, &QSpinBox::valueChanged, this, &LatencyForm::changed);
    setValue({});
}

storage::LatencySettings LatencyForm::value() const {
    storage::LatencySettings latency;
    latency.promptTokens = promptTokens_->value();
    latency.outputTokens = outputTokens_->value();
    latency.requests = requests_->value();
    return latency;
}

void LatencyForm::setValue(const storage::LatencySettings& latency) {
    promptTokens_->setValue(latency.promptTokens);
    outputTokens_->setValue(latency.outputTokens);
    requests_->setValue(latency.requests);
}

} // namespace quantscope::ui
