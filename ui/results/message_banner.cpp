// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/results/message_banner.h"

#include "ui/charts/chart_theme.h"

#include <QApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QScopedValueRollback>
#include <QToolButton>

namespace quantscope::ui {

MessageBanner::MessageBanner(QWidget* parent) : QFrame(parent), text_(new QLabel) {
    setAutoFillBackground(true);
    setFrameShape(QFrame::StyledPanel);
    text_->setWordWrap(true);
    text_->setTextFormat(Qt::RichText);
    text_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    text_->setObjectName(QStringLiteral("bannerText"));
    auto* close = new QToolButton;
    close->setText(QStringLiteral("Dismiss"));
    close->setAutoRaise(true);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(10, 6, 6, 6);
    layout->addWidget(text_, 1);
    layout->addWidget(close, 0, Qt::AlignTop);
    hide();
}

void MessageBanner::showMessage(Kind kind, const QString& message, const QString& hint) {
    kind_ = kind;
    message_ = message;
    QString text = message.toHtmlEscaped();
    if (kind == Error)
        text = QStringLiteral("<b>%1</b>").arg(text);
    if (!hint.isEmpty())
        text += QStringLiteral("<br>") + hint.toHtmlEscaped();
    text_->setText(text);
    setAccessibleName(message + u' ' + hint);
    applyColours();
    show();
}

QString MessageBanner::message() const {
    return isHidden() ? QString() : message_;
}

void MessageBanner::applyColours() {
    const QScopedValueRollback guard(applying_, true);
    const bool dark = isDark(QApplication::palette());
    const QColor ground =
        kind_ == Error ? QColor(dark ? 0x5a1e1e : 0xfde8e6) : QColor(dark ? 0x1d3a52 : 0xe6f1fb);
    QPalette colours; // only these roles: the others tell of the next palette change
    colours.setColor(QPalette::Window, ground);
    colours.setColor(QPalette::WindowText, QColor(dark ? 0xffffff : 0x1f2328));
    colours.setColor(QPalette::ButtonText, QColor(dark ? 0xffffff : 0x1f2328));
    setPalette(colours);
}

void MessageBanner::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && !applying_)
        applyColours();
}

} // namespace quantscope::ui
