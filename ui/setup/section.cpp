// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/section.h"

#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

namespace quantscope::ui {

Section::Section(const QString& title, Folding folding, QWidget* parent)
    : QWidget(parent), layout_(new QVBoxLayout(this)) {
    layout_->setContentsMargins(0, 0, 0, 0);
    layout_->setSpacing(4);
    QFont bold = font();
    bold.setBold(true);
    if (folding == Open) {
        auto* label = new QLabel(title);
        label->setFont(bold);
        layout_->addWidget(label);
        return;
    }
    button_ = new QToolButton;
    button_->setText(title);
    button_->setFont(bold);
    button_->setAutoRaise(true);
    button_->setCheckable(true);
    button_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button_->setArrowType(Qt::RightArrow);
    button_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    button_->setAccessibleDescription(QStringLiteral("Shows or hides these settings"));
    connect(button_, &QToolButton::toggled, this, [this](bool open) { setFolded(!open); });
    layout_->addWidget(button_);
}

void Section::setContent(QWidget* content) {
    content_ = content;
    layout_->addWidget(content);
    setFolded(button_ != nullptr);
}

void Section::setFolded(bool folded) {
    if (button_ == nullptr)
        return;
    button_->setChecked(!folded);
    button_->setArrowType(folded ? Qt::RightArrow : Qt::DownArrow);
    if (content_ != nullptr)
        content_->setVisible(!folded);
}

} // namespace quantscope::ui
