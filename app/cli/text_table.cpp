// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/text_table.h"

#include "storage/csv.h"

#include <algorithm>

namespace quantscope::cli {
namespace {

QString trimmedRight(QString line) {
    while (line.endsWith(QLatin1Char(' '))) {
        line.chop(1);
    }
    return line;
}

} // namespace

void TextTable::addColumn(const QString& title, Align align) {
    columns_ << Column{title, align};
}

void TextTable::addRow(const QStringList& cells) {
    QStringList row = cells;
    while (row.size() < columns_.size()) {
        row << QString();
    }
    rows_ << row;
}

QString TextTable::toText() const {
    QList<qsizetype> widths;
    for (qsizetype i = 0; i < columns_.size(); ++i) {
        qsizetype width = columns_[i].title.size();
        for (const QStringList& row : rows_) {
            width = std::max(width, row[i].size());
        }
        widths << width;
    }
    const auto line = [&](const auto& cellAt) {
        QStringList cells;
        for (qsizetype i = 0; i < columns_.size(); ++i) {
            const QString cell = cellAt(i);
            cells << (columns_[i].align == Align::Left ? cell.leftJustified(widths[i])
                                                       : cell.rightJustified(widths[i]));
        }
        return trimmedRight(cells.join(QStringLiteral("  "))) + QLatin1Char('\n');
    };
    QString text = line([&](qsizetype i) { return columns_[i].title; });
    text += line([&](qsizetype i) { return QString(widths[i], QLatin1Char('-')); });
    for (const QStringList& row : rows_) {
        text += line([&](qsizetype i) { return row[i]; });
    }
    return text;
}

QString TextTable::toCsv() const {
    QByteArray text;
    const auto add = [&text](const QStringList& row) {
        QStringList fields;
        for (const QString& cell : row) {
            fields << storage::csvText(cell);
        }
        text += storage::csvLine(fields);
    };
    QStringList header;
    for (const Column& column : columns_) {
        header << column.title;
    }
    add(header);
    for (const QStringList& row : rows_) {
        add(row);
    }
    return QString::fromUtf8(text);
}

} // namespace quantscope::cli
