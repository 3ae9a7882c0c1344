// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/hint_label.h"

#include "ui/charts/chart_theme.h"

#include <QApplication>
#include <QEvent>
#include <QScopedValueRollback>

namespace quantscope::ui {

namespace {

/// The window's text colour, a third of the way to its ground.
QColor mutedText(const QPalette& palette) {
    const QColor text = palette.color(QPalette::Active, QPalette::WindowText);
    const QColor ground = palette.color(QPalette::Active, QPalette::Window);
    const auto mix = [](int a, int b) { return (a * 7 + b * 3) / 10; };
    return {mix(text.red(), ground.red()), mix(text.green(), ground.green()),
            mix(text.blue(), ground.blue())};
}

} // namespace

HintLabel::HintLabel(const QString& text, Kind kind, QWidget* parent) : QLabel(text, parent), kind_(kind) {
    setWordWrap(true);
    setTextFormat(Qt::PlainText);
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.92);
    setFont(small);
    applyPalette();
}

void HintLabel::changeEvent(QEvent* event) {
    QLabel::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && !applying_)
        applyPalette();
}

void HintLabel::applyPalette() {
    const QScopedValueRollback guard(applying_, true);
    const QPalette whole = QApplication::palette();
    const QColor colour =
        kind_ == Explanation ? mutedText(whole) : QColor(isDark(whole) ? 0xff9b8f : 0xb3261e);
    QPalette own; // only this role, and not where disabled: all else goes on following the application
    own.setColor(QPalette::Active, QPalette::WindowText, colour);
    own.setColor(QPalette::Inactive, QPalette::WindowText, colour);
    setPalette(own);
}

} // namespace quantscope::ui
