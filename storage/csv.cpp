// SPDX-License-Identifier: Apache-2.0
#include "storage/csv.h"

#include <QLocale>
#include <algorithm>

namespace quantscope::storage {

QString csvText(const QString& text) {
    QString field = text;
    bool isNumber = false;
    static_cast<void>(field.toDouble(&isNumber));
    const bool negative = isNumber && field.startsWith(QLatin1Char('-'));
    if (!negative && !field.isEmpty() && QStringLiteral("=+-@\t\r").contains(field.front()))
        field.prepend(QLatin1Char('\''));
    const bool quoted = std::any_of(field.begin(), field.end(),
                                    [](QChar c) { return QStringLiteral("\",\r\n").contains(c); });
    if (!quoted)
        return field;
    field.replace(QLatin1Char('"'), QLatin1String("\"\""));
    return QLatin1Char('"') + field + QLatin1Char('"');
}

QString csvNumber(double value) {
    return QString::number(value, 'g', QLocale::FloatingPointShortest);
}
QString csvNumber(qint64 value) {
    return QString::number(value);
}

QByteArray csvLine(const QStringList& fields) {
    return fields.join(QLatin1Char(',')).toUtf8() + "\r\n";
}

} // namespace quantscope::storage
