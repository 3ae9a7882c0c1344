// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QComboBox;
class QLineEdit;

namespace quantscope::ui {

/// "demo", or a folder or file that is typed or browsed for.
class PathChoice : public QWidget {
    Q_OBJECT

  public:
    enum Kind { Folder, File };

    /// `demoText` names what ships; `ownText` the other choice; `filter` is a file dialog's.
    PathChoice(Kind kind, const QString& demoText, const QString& ownText, const QString& filter = {},
               QWidget* parent = nullptr);

    [[nodiscard]] QString value() const; ///< "demo" or the path, trimmed
    void setValue(const QString& value);
    void setAccessibleNames(const QString& what);

  Q_SIGNALS:
    void changed();

  private:
    void browse();

    Kind kind_;
    QString filter_;
    QComboBox* choice_;
    QWidget* pathRow_;
    QLineEdit* path_;
};

} // namespace quantscope::ui
