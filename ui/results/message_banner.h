// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

class QLabel;

namespace quantscope::ui {

/// A message across the window that waits for nobody: what happened, what to do, and a button that closes it.
class MessageBanner : public QFrame {
    Q_OBJECT

  public:
    enum Kind { Error, Notice };

    explicit MessageBanner(QWidget* parent = nullptr);

    void showMessage(Kind kind, const QString& message, const QString& hint = {});
    [[nodiscard]] QString message() const;

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void applyColours();

    Kind kind_ = Notice;
    bool applying_ = false;
    QLabel* text_;
    QString message_;
};

} // namespace quantscope::ui
