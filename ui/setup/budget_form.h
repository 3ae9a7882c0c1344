// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QComboBox;
class QDoubleSpinBox;
class QSpinBox;

namespace quantscope::ui {

/// The real-time budget: a preset, or limits of one's own.
class BudgetForm : public QWidget {
    Q_OBJECT

  public:
    explicit BudgetForm(QWidget* parent = nullptr);

    [[nodiscard]] storage::Budget value() const;
    void setValue(const storage::Budget& budget);

  Q_SIGNALS:
    void changed();

  private:
    void showLimits(const storage::Budget& budget);
    void choosePreset(int index);
    void limitEdited();

    QComboBox* preset_;
    QDoubleSpinBox* ttft_;
    QDoubleSpinBox* tpot_;
    QDoubleSpinBox* e2e_;
    QSpinBox* e2eTokens_;
    bool showing_ = false; ///< fields are being set, not edited
};

} // namespace quantscope::ui
