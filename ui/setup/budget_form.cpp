// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/budget_form.h"

#include "storage/budget_presets.h"
#include "ui/setup/spin_range.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QScopedValueRollback>

namespace quantscope::ui {

using storage::Budget;

namespace {

std::optional<double> limitOf(const QDoubleSpinBox* box) {
    return box->value() > 0.0 ? std::optional(box->value()) : std::nullopt;
}

QDoubleSpinBox* limitBox() {
    auto* box = new QDoubleSpinBox;
    box->setRange(0.0, limits::budget_ms.high); // 0: none
    box->setDecimals(1);
    box->setSuffix(QStringLiteral(" ms"));
    box->setSpecialValueText(QStringLiteral("no limit"));
    return box;
}

} // namespace

BudgetForm::BudgetForm(QWidget* parent)
    : QWidget(parent), preset_(new QComboBox), ttft_(limitBox()), tpot_(limitBox()), e2e_(limitBox()),
      e2eTokens_(new QSpinBox) {
    for (const storage::BudgetPreset& preset : storage::budgetPresets())
        preset_->addItem(preset.id.isEmpty() ? QStringLiteral("No budget") : preset.budget.name);
    preset_->addItem(QStringLiteral("Custom"));
    preset_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    setRange(e2eTokens_, limits::budget_tokens);
    preset_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    auto* form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(QStringLiteral("Preset"), preset_);
    form->addRow(QStringLiteral("TTFT p99"), ttft_);
    form->addRow(QStringLiteral("TPOT p99"), tpot_);
    form->addRow(QStringLiteral("Request p99"), e2e_);
    form->addRow(QStringLiteral("… with tokens"), e2eTokens_);
    e2e_->setToolTip(QStringLiteral("Prompt and that many output tokens together"));
    connect(preset_, &QComboBox::currentIndexChanged, this, &BudgetForm::choosePreset);
    for (QDoubleSpinBox* box : {ttft_, tpot_, e2e_})
        connect(box, &QDoubleSpinBox::valueChanged, this, &BudgetForm::limitEdited);
    connect(e2eTokens_, &QSpinBox::valueChanged, this, &BudgetForm::limitEdited);
    showLimits(storage::budgetPresets().first().budget);
}

void BudgetForm::showLimits(const Budget& budget) {
    const QScopedValueRollback guard(showing_, true);
    ttft_->setValue(budget.ttftP99Ms.value_or(0.0));
    tpot_->setValue(budget.tpotP99Ms.value_or(0.0));
    e2e_->setValue(budget.e2eP99Ms.value_or(0.0));
    e2eTokens_->setValue(budget.e2eTokens);
}

void BudgetForm::choosePreset(int index) {
    if (showing_)
        return;
    const QList<storage::BudgetPreset> presets = storage::budgetPresets();
    if (index < presets.size())
        showLimits(presets[index].budget);
    Q_EMIT changed();
}

/// Whoever edits a preset's limit has a budget of his own.
void BudgetForm::limitEdited() {
    if (showing_)
        return;
    const QScopedValueRollback guard(showing_, true);
    preset_->setCurrentIndex(preset_->count() - 1);
    Q_EMIT changed();
}

Budget BudgetForm::value() const {
    Budget budget{preset_->currentIndex() == 0 ? QString() : preset_->currentText(), limitOf(ttft_),
                  limitOf(tpot_), limitOf(e2e_), e2eTokens_->value()};
    return budget;
}

void BudgetForm::setValue(const Budget& budget) {
    const QList<storage::BudgetPreset> presets = storage::budgetPresets();
    int index = static_cast<int>(presets.size());
    for (int i = 0; i < presets.size(); ++i)
        if (storage::sameLimits(presets[i].budget, budget))
            index = i;
    {
        const QScopedValueRollback guard(showing_, true);
        preset_->setCurrentIndex(index);
    }
    showLimits(budget);
    Q_EMIT changed();
}

} // namespace quantscope::ui
