// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"

#include <QJsonObject>
#include <QString>

namespace quantscope::cli {

void print(const QString& text);     ///< to stdout, as UTF-8, by visibleText()
void printNote(const QString& text); ///< a line to stderr
void printJson(const QJsonObject& document);

/// `code`, or 1 where it is 0 but not all of stdout could be written (a full disk behind `> file`).
[[nodiscard]] int exitCodeAfterOutput(int code);

/// Says what went wrong on stderr and, with --json, as the one document on stdout. Returns the exit code.
int fail(const Error& error, bool json = false);

} // namespace quantscope::cli
