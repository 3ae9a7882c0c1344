// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCheckBox>

namespace quantscope::ui {

/// A check box whose frame is seen on dark palettes too: Qt's Fusion style draws it darker than a dark
/// ground.
class CheckBox : public QCheckBox {
    Q_OBJECT

  public:
    using QCheckBox::QCheckBox;

  protected:
    void paintEvent(QPaintEvent* event) override;
};

} // namespace quantscope::ui
