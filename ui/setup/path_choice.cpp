// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/path_choice.h"

#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>

namespace quantscope::ui {

namespace {

constexpr int demoIndex = 0;
constexpr int ownIndex = 1;

} // namespace

PathChoice::PathChoice(Kind kind, const QString& demoText, const QString& ownText, const QString& filter,
                       QWidget* parent)
    : QWidget(parent), kind_(kind), filter_(filter), choice_(new QComboBox), pathRow_(new QWidget),
      path_(new QLineEdit) {
    choice_->addItems({demoText, ownText});
    choice_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    choice_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    path_->setPlaceholderText(kind == Folder ? QStringLiteral("/path/to/a/folder")
                                             : QStringLiteral("/path/to/a/file"));
    auto* browseButton = new QPushButton(QStringLiteral("Browse…"));
    auto* row = new QHBoxLayout(pathRow_);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(path_, 1);
    row->addWidget(browseButton);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(choice_);
    layout->addWidget(pathRow_);
    pathRow_->hide();
    setFocusProxy(choice_);

    connect(choice_, &QComboBox::currentIndexChanged, this, [this](int index) {
        pathRow_->setVisible(index == ownIndex);
        Q_EMIT changed();
    });
    connect(path_, &QLineEdit::textChanged, this, &PathChoice::changed);
    connect(browseButton, &QPushButton::clicked, this, &PathChoice::browse);
}

void PathChoice::setAccessibleNames(const QString& what) {
    choice_->setAccessibleName(what);
    path_->setAccessibleName(what + QStringLiteral(": path"));
}

QString PathChoice::value() const {
    return choice_->currentIndex() == demoIndex ? QStringLiteral("demo") : path_->text().trimmed();
}

void PathChoice::setValue(const QString& value) {
    const bool demo = value == QLatin1String("demo");
    if (!demo)
        path_->setText(value);
    choice_->setCurrentIndex(demo ? demoIndex : ownIndex);
}

void PathChoice::browse() {
    const QString chosen =
        kind_ == Folder ? QFileDialog::getExistingDirectory(this, QStringLiteral("Choose the model's folder"),
                                                            path_->text())
                        : QFileDialog::getOpenFileName(this, QStringLiteral("Choose the problem file"),
                                                       path_->text(), filter_);
    if (!chosen.isEmpty())
        path_->setText(chosen);
}

} // namespace quantscope::ui
