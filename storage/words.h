// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/values.h"

namespace quantscope::storage {

// The words that stand for enumerators in the database, in files and on the wire.
// Parsing an unknown word gives nothing.

[[nodiscard]] QString
word(RunStatus status); ///< "planned", "running", "done", "partial", "failed", "cancelled"
[[nodiscard]] QString word(Verdict verdict); ///< "passed", "failed", "timed_out", "error", "unscored"
[[nodiscard]] std::optional<RunStatus> statusFromWord(const QString& word);
[[nodiscard]] std::optional<Verdict> verdictFromWord(const QString& word);

/// UTC, ISO 8601 with milliseconds: "2026-11-23T14:18:17.123Z".
[[nodiscard]] QString timeText(const QDateTime& time);
[[nodiscard]] QDateTime timeFromText(const QString& text);

} // namespace quantscope::storage
