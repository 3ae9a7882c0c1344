// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QComboBox;
class QLineEdit;

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

  Q_SIGNALS:
    void changed();
    /// Another backend or host was chosen, or Refresh pressed.
    void refreshRequested(const QString& backend, const QStringList& launcher);

  private:
    void requestRefresh();

    QComboBox* backend_;
    QLineEdit* launcher_;
    HintLabel* devices_;
    QStringList asked_; ///< backend and launcher of the last request
};

} // namespace quantscope::ui
