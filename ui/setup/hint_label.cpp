// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/hint_label.h"

#include <QEvent>

namespace quantscope::ui {

HintLabel::HintLabel(const QString& text, QWidget* parent) : QLabel(text, parent) {
    setWordWrap(true);
    setTextFormat(Qt::PlainText);
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.92);
    setFont(small);
    applyPalette();
}

void HintLabel::changeEvent(QEvent* event) {
    QLabel::changeEvent(event);
    if (event->type() == QEvent::ParentChange || event->type() == QEvent::ApplicationPaletteChange)
        applyPalette();
}

/// The window's text colour, a third of the way to its ground.
void HintLabel::applyPalette() {
    const QPalette from = parentWidget() != nullptr ? parentWidget()->palette() : QPalette();
    const QColor text = from.color(QPalette::Active, QPalette::WindowText);
    const QColor ground = from.color(QPalette::Active, QPalette::Window);
    const auto mix = [](int a, int b) { return (a * 7 + b * 3) / 10; };
    QPalette muted = from;
    muted.setColor(QPalette::WindowText,
                   QColor(mix(text.red(), ground.red()), mix(text.green(), ground.green()),
                          mix(text.blue(), ground.blue())));
    setPalette(muted);
}

} // namespace quantscope::ui
