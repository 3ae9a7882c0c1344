// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QComboBox;
class QDoubleSpinBox;
class QLineEdit;
class QSpinBox;

namespace quantscope::ui {

/// How completions are drawn.
class SamplingForm : public QWidget {
    Q_OBJECT

  public:
    explicit SamplingForm(QWidget* parent = nullptr);

    [[nodiscard]] storage::Sampling value() const;
    void setValue(const storage::Sampling& sampling);

  Q_SIGNALS:
    void changed();

  private:
    QSpinBox* samples_;
    QDoubleSpinBox* temperature_;
    QDoubleSpinBox* topP_;
    QLineEdit* seed_;
    QSpinBox* maxNewTokens_;
    QComboBox* promptForm_;
};

} // namespace quantscope::ui
