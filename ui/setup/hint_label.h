// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace quantscope::ui {

/// Small text that wraps: an explanation, or what is wrong. Readable on light and dark palettes.
class HintLabel : public QLabel {
    Q_OBJECT

  public:
    enum Kind { Explanation, Warning };

    explicit HintLabel(const QString& text = {}, Kind kind = Explanation, QWidget* parent = nullptr);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void applyPalette();

    Kind kind_;
    bool applying_ = false;
};

} // namespace quantscope::ui
