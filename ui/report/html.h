// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>

/// Pieces of HTML. Every text goes through escaping here: names and errors come from files and from the
/// engine.
namespace quantscope::ui::html {

QString escaped(const QString& text);
QString paragraph(const QString& text);
QString section(const QString& id, const QString& title, const QString& content);

/// A table with a caption; cells are texts. Columns from `firstNumber` on are right-aligned.
QString table(const QString& caption, const QStringList& headers, const QList<QStringList>& rows,
              int firstNumber);

/// A figure that holds an SVG drawing inline, described for those who do not see it.
QString figure(const QByteArray& svg, const QString& id, const QString& caption);

/// The whole page, style sheet included.
QString page(const QString& title, const QString& body);

} // namespace quantscope::ui::html
