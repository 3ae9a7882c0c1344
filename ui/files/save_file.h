// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>

namespace quantscope::ui {

/// Writes a whole file or leaves what was there as it was (engine/files/output_file.h). Returns an empty
/// string, or the sentence that says what went wrong and what to do.
[[nodiscard]] QString saveFile(const QString& fileName, const QByteArray& bytes);

} // namespace quantscope::ui
