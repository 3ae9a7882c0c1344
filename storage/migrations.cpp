// SPDX-License-Identifier: Apache-2.0
#include "storage/migrations.h"

#include "storage/database.h"
#include "storage/schema_v1.h"

namespace quantscope::storage {
namespace {

Expected<int> storedVersion(Database& database) {
    return database.scalar(QStringLiteral("PRAGMA user_version"), {}, QStringLiteral("reading its version"))
        .map([](const QVariant& value) { return value.toInt(); });
}

Expected<> apply(Database& database, const Migration& migration) {
    const QString doing = QStringLiteral("bringing it to version %1").arg(migration.version);
    auto transaction = Transaction::begin(database, doing);
    if (!transaction)
        return tl::unexpected(transaction.error());
    // Read again under the write lock: another process may have migrated meanwhile.
    const auto version = storedVersion(database);
    if (!version)
        return tl::unexpected(version.error());
    if (*version >= migration.version)
        return {};
    QStringList statements = migration.statements;
    statements << QStringLiteral("PRAGMA application_id = %1").arg(kApplicationId)
               << QStringLiteral("PRAGMA user_version = %1").arg(migration.version);
    for (const QString& statement : statements)
        if (auto done = database.execute(statement, {}, doing); !done)
            return tl::unexpected(done.error());
    return transaction->commit();
}

} // namespace

const QList<Migration>& migrations() {
    static const QList<Migration> list{{1, schemaV1()}};
    return list;
}

int currentVersion() {
    return migrations().last().version;
}

Expected<> migrate(Database& database) {
    return migrate(database, migrations());
}

Expected<> migrate(Database& database, const QList<Migration>& list) {
    const auto version = storedVersion(database);
    if (!version)
        return tl::unexpected(version.error());
    if (*version >=
        list.last().version) // nothing to do, but say now, not hours later, when it cannot be written
        return Transaction::begin(database, QStringLiteral("opening it")).map([](const Transaction&) {});
    for (const Migration& migration : list)
        if (migration.version > *version)
            if (auto applied = apply(database, migration); !applied)
                return applied;
    return {};
}

Expected<> requireKnownVersion(Database& database) {
    const auto version = storedVersion(database);
    if (!version)
        return tl::unexpected(version.error());
    if (*version <= currentVersion())
        return {};
    return makeError(
        ErrorKind::Newer,
        QStringLiteral("The database %1 was written by a newer Quantscope: expected version %2 or older, "
                       "found %3.")
            .arg(database.path(), QString::number(currentVersion()), QString::number(*version)),
        QStringLiteral("Install the newer Quantscope, or choose another file with --db."));
}

Expected<> requireCurrentVersion(Database& database) {
    const auto version = storedVersion(database);
    if (!version)
        return tl::unexpected(version.error());
    if (*version == currentVersion())
        return {};
    return makeError(
        ErrorKind::Older,
        QStringLiteral(
            "The database %1 needs an upgrade before it can be read: expected version %2, found %3.")
            .arg(database.path(), QString::number(currentVersion()), QString::number(*version)),
        QStringLiteral("Make the file writable and open it once with this Quantscope."));
}

} // namespace quantscope::storage
