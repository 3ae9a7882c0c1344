// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QByteArray>
#include <QStringList>

namespace quantscope::storage {

// CSV after RFC 4180.

/// A text as one field. Quoted where it must be. A text that a spreadsheet would run as a formula gets a
/// leading apostrophe: exception messages are written by hostile programs. A negative number is none.
[[nodiscard]] QString csvText(const QString& text);

/// Shortest digits that read back as the same number; always with a decimal point, whatever the locale.
[[nodiscard]] QString csvNumber(double value);
[[nodiscard]] QString csvNumber(qint64 value);
[[nodiscard]] inline QString csvNumber(int value) {
    return csvNumber(qint64(value));
}

[[nodiscard]] QByteArray csvLine(const QStringList& fields); ///< UTF-8, ended by CR LF

} // namespace quantscope::storage
