// SPDX-License-Identifier: Apache-2.0
#include "storage/reader.h"

namespace quantscope::storage {

Expected<std::unique_ptr<Reader>> Reader::open(const QString& path, int busyTimeoutMs) {
    const OpenOptions reading{true, busyTimeoutMs};
    auto database = Database::open(path, reading);
    if (!database && database.error().kind == ErrorKind::Older) {
        if (auto migrated = Database::open(path, {false, busyTimeoutMs}); !migrated)
            return tl::unexpected(migrated.error());
        database = Database::open(path, reading);
    }
    if (!database)
        return tl::unexpected(database.error());
    return std::unique_ptr<Reader>(new Reader(std::move(*database)));
}

Expected<Transaction> Reader::snapshot() {
    return Transaction::begin(*database_, QStringLiteral("reading it"), Transaction::Kind::Read);
}

Expected<qint64> Reader::dataVersion() {
    return database_->scalar(QStringLiteral("PRAGMA data_version"), {}, QStringLiteral("reading it"))
        .map([](const QVariant& value) { return value.toLongLong(); });
}

} // namespace quantscope::storage
