// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QToolButton;
class QVBoxLayout;

namespace quantscope::ui {

/// A titled part of the setup panel; one that can be folded starts folded.
class Section : public QWidget {
    Q_OBJECT

  public:
    enum Folding { Open, Foldable };

    Section(const QString& title, Folding folding, QWidget* parent = nullptr);

    void setContent(QWidget* content);
    void setFolded(bool folded);

  private:
    QVBoxLayout* layout_;
    QToolButton* button_ = nullptr;
    QWidget* content_ = nullptr;
};

} // namespace quantscope::ui
