// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QString>
#include <QStringList>

namespace quantscope::cli {

/// A table for the terminal: columns as wide as their widest cell, two spaces between, a rule under the
/// header.
class TextTable {
  public:
    enum class Align { Left, Right };

    void addColumn(const QString& title, Align align = Align::Right);
    void addRow(const QStringList& cells); ///< missing cells are empty

    [[nodiscard]] QString toText() const; ///< each line ends with '\n', none with spaces
    [[nodiscard]] QString toCsv() const;  ///< storage/csv.h
    [[nodiscard]] bool isEmpty() const { return rows_.isEmpty(); }

  private:
    struct Column {
        QString title;
        Align align;
    };
    QList<Column> columns_;
    QList<QStringList> rows_;
};

} // namespace quantscope::cli
