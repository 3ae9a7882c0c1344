// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QWidget>

class QCheckBox;
class QLabel;
class QVBoxLayout;

namespace quantscope::ui {

/// One check box a scheme that the engine told of, each with its one-line explanation. Ids that were ticked
/// before the engine answered (or that this engine does not know) are kept, and shown as such.
class SchemePicker : public QWidget {
    Q_OBJECT

  public:
    explicit SchemePicker(QWidget* parent = nullptr);

    void setAvailable(const QList<storage::SchemeInfo>& schemes);
    void setTicked(const QStringList& ids);
    /// In the engine's order.
    [[nodiscard]] QStringList ticked() const;
    /// Ticked, but not offered by this engine. Empty before the engine has answered.
    [[nodiscard]] QStringList unknownTicked() const;

  Q_SIGNALS:
    void changed();

  private:
    void rebuild();
    void addRow(const storage::SchemeInfo& scheme, bool known);

    QVBoxLayout* layout_;
    QLabel* waiting_;
    QList<storage::SchemeInfo> available_;
    QStringList ticked_;
    QList<QWidget*> rows_;
};

} // namespace quantscope::ui
