// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"

#include <QList>
#include <QStringList>

namespace quantscope::storage {

class Database;

inline constexpr int kApplicationId = 0x51534350; ///< "QSCP"

/// The statements that lead from the version before to `version`.
struct Migration {
    int version = 0;
    QStringList statements;
};

/// All migrations, in order: 1, 2, ... A published one is never changed; a new one is appended.
[[nodiscard]] const QList<Migration>& migrations();
[[nodiscard]] int currentVersion();

/// Brings the database to `currentVersion()`, each migration in one transaction together with its version.
[[nodiscard]] Expected<> migrate(Database& database);
/// The same with a list of the caller's.
[[nodiscard]] Expected<> migrate(Database& database, const QList<Migration>& list);

/// Newer when the file was written by a Quantscope that knows more than this one.
[[nodiscard]] Expected<> requireKnownVersion(Database& database);
/// Older when the file needs a migration first.
[[nodiscard]] Expected<> requireCurrentVersion(Database& database);

} // namespace quantscope::storage
