// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"

class QSqlError;

namespace quantscope::storage {

/// The sentence for what SQLite reported about the database `path` while `doing` ("storing a sample").
/// SQLite's primary result codes: https://www.sqlite.org/rescode.html
[[nodiscard]] Error sqlError(const QSqlError& error, const QString& path, const QString& doing);

} // namespace quantscope::storage
