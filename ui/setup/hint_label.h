// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace quantscope::ui {

/// Small explaining text that wraps and stays readable on every palette.
class HintLabel : public QLabel {
    Q_OBJECT

  public:
    explicit HintLabel(const QString& text = {}, QWidget* parent = nullptr);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void applyPalette();
};

} // namespace quantscope::ui
