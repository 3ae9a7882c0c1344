// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QComboBox;
class QLineEdit;
class QPushButton;

namespace quantscope::ui {

class HintLabel;

/// Which backend, on which host, and what that host said of itself.
class HostForm : public QWidget {
    Q_OBJECT

  public:
    explicit HostForm(QWidget* parent = nullptr);

    [[nodiscard]] QString backend() const;
    [[nodiscard]] QStringList launcher() const; ///< argv prefix; empty is this machine
    void setValue(const QString& backend, const QStringList& launcher);
    void setHost(const storage::HostInfo& host);
    /// Instead of devices: what is awaited, with a button that ends the waiting …
    void setAwaited(const QString& sentence);
    /// … or why there is no answer.
    void setUnknown(const QString& reason);

  Q_SIGNALS:
    void changed();
    /// Another backend or host was chosen, or Refresh pressed.
    void refreshRequested(const QString& backend, const QStringList& launcher);
    void cancelRequested();

  private:
    void requestRefresh();

    QComboBox* backend_;
    QLineEdit* launcher_;
    HintLabel* devices_;
    QPushButton* cancel_;
    QStringList asked_; ///< backend and launcher of the last request
};

} // namespace quantscope::ui
