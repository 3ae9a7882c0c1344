// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/check_box.h"

#include "ui/charts/chart_theme.h"

#include <QPainter>
#include <QStyle>
#include <QStyleOptionButton>

namespace quantscope::ui {

void CheckBox::paintEvent(QPaintEvent* event) {
    QCheckBox::paintEvent(event);
    if (!isDark(palette()))
        return;
    QStyleOptionButton option;
    initStyleOption(&option);
    const QRect frame = style()->subElementRect(QStyle::SE_CheckBoxIndicator, &option, this);
    QColor line = palette().color(QPalette::WindowText);
    line.setAlphaF(0.45F);
    QPainter painter(this);
    painter.setPen(line);
    painter.drawRect(frame.adjusted(0, 0, -1, -1));
}

} // namespace quantscope::ui
