// SPDX-License-Identifier: Apache-2.0
#include "storage/sql_error.h"

#include <QFileInfo>
#include <QSqlError>
#include <QStorageInfo>

namespace quantscope::storage {
namespace {

// Primary result codes; QtSql hands out the extended ones, whose low byte is the primary code.
enum Sqlite {
    Perm = 3,
    Busy = 5,
    LockedTable = 6,
    ReadOnlyDb = 8,
    IoErr = 10,
    CorruptDb = 11,
    Full = 13,
    CantOpen = 14,
    TooBig = 18,
    Constraint = 19,
    Auth = 23,
    NotADb = 26,
};

QString freeSpace(const QString& path) {
    const QStorageInfo disk(QFileInfo(path).absolutePath());
    if (!disk.isValid())
        return {};
    return QStringLiteral(" (%1 KiB free on %2)").arg(disk.bytesAvailable() / 1024).arg(disk.rootPath());
}

QString readOnlyHint() {
    return QStringLiteral("Make the file and its folder writable, or choose another file with --db.");
}

} // namespace

Error sqlError(const QSqlError& error, const QString& path, const QString& doing) {
    const int code = error.nativeErrorCode().toInt() & 0xff;
    const QString said = error.databaseText().isEmpty() ? error.driverText() : error.databaseText();
    switch (code) {
    case Busy:
    case LockedTable:
        return {ErrorKind::Locked,
                QStringLiteral("The database %1 stayed locked by another program while %2.").arg(path, doing),
                QStringLiteral("Close the other Quantscope or SQLite program that uses it, then try again.")};
    case ReadOnlyDb:
    case Perm:
    case Auth:
        return {
            ErrorKind::ReadOnly,
            QStringLiteral("The database %1 cannot be written while %2: the file or its folder is read-only.")
                .arg(path, doing),
            readOnlyHint()};
    case CantOpen:
        return {
            ErrorKind::ReadOnly,
            QStringLiteral("The database %1 cannot be opened while %2: the file, or the -wal and -shm files "
                           "beside it, cannot be created or read there.")
                .arg(path, doing),
            readOnlyHint()};
    case Full:
        return {ErrorKind::DiskFull,
                QStringLiteral("No space is left for the database %1 while %2%3.")
                    .arg(path, doing, freeSpace(path)),
                QStringLiteral(
                    "Free some space on that disk and resume the campaign; all that was stored is kept.")};
    case CorruptDb:
        return {
            ErrorKind::Corrupt,
            QStringLiteral("The database %1 is damaged (%2) while %3.").arg(path, said, doing),
            QStringLiteral("Keep a copy of it; `sqlite3 FILE .recover | sqlite3 NEW` saves what is readable. "
                           "Choose another file with --db to go on.")};
    case NotADb:
        return {ErrorKind::NotADatabase,
                QStringLiteral(
                    "%1 is not a Quantscope database: expected an SQLite 3 file, found something else.")
                    .arg(path),
                QStringLiteral("Choose another file with --db; this one was left as it is.")};
    case Constraint:
        return {ErrorKind::BadInput,
                QStringLiteral("The database %1 refused a value while %2: %3.").arg(path, doing, said),
                {}};
    case TooBig:
        return {ErrorKind::BadInput,
                QStringLiteral("A value is too large for the database %1 while %2.").arg(path, doing),
                {}};
    case IoErr:
        return {
            ErrorKind::Io,
            QStringLiteral("The disk of the database %1 reported an error while %2: %3%4.")
                .arg(path, doing, said, freeSpace(path)),
            QStringLiteral("Check the disk; a database belongs on a local disk, not on a network share.")};
    default:
        return {ErrorKind::Internal,
                QStringLiteral("The database %1 failed while %2: %3 (SQLite code %4).")
                    .arg(path, doing, said, error.nativeErrorCode()),
                QStringLiteral("Please report this as a defect of Quantscope.")};
    }
}

} // namespace quantscope::storage
