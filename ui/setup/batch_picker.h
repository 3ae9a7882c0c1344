// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QWidget>

class QCheckBox;
class QGridLayout;

namespace quantscope::ui {

/// Batch sizes 1, 2, 4, … 64 as check boxes; others that a campaign brought are added.
class BatchPicker : public QWidget {
    Q_OBJECT

  public:
    explicit BatchPicker(QWidget* parent = nullptr);

    [[nodiscard]] QList<int> ticked() const; ///< ascending
    void setTicked(const QList<int>& sizes);

  Q_SIGNALS:
    void changed();

  private:
    void addSize(int size);

    QGridLayout* layout_;
    QMap<int, QCheckBox*> boxes_;
};

} // namespace quantscope::ui
