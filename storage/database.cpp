// SPDX-License-Identifier: Apache-2.0
#include "storage/database.h"

#include "storage/migrations.h"
#include "storage/sql_error.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QSqlError>
#include <QThread>
#include <QUrl>
#include <atomic>

namespace quantscope::storage {
namespace {

const QString kOpening = QStringLiteral("opening it");

QString uniqueConnectionName() {
    static std::atomic<quint64> next{0};
    return QStringLiteral("quantscope-%1").arg(next.fetch_add(1));
}

/// The mistakes that SQLite would only call "unable to open database file".
Expected<> checkPlace(const QString& path, bool readOnly) {
    const QFileInfo file(path);
    const QString otherFile = QStringLiteral("Choose another file with --db.");
    if (path.isEmpty())
        return makeError(ErrorKind::BadInput, QStringLiteral("The name of the database file is empty."),
                         otherFile);
    if (file.isDir())
        return makeError(ErrorKind::BadInput,
                         QStringLiteral("%1 is a folder; expected a database file.").arg(path), otherFile);
    if (file.exists() && !file.isFile()) // SQLite would wait for a pipe's writer
        return makeError(
            ErrorKind::BadInput,
            QStringLiteral("%1 is a pipe, socket or device; expected a database file.").arg(path), otherFile);
    const QString folder = file.absolutePath();
    if (!QFileInfo(folder).isDir())
        return makeError(ErrorKind::NotFound,
                         QStringLiteral("The database %1 cannot be opened: the folder %2 does not exist.")
                             .arg(path, folder),
                         QStringLiteral("Create the folder, or choose another file with --db."));
    if (readOnly && !file.exists())
        return makeError(ErrorKind::NotFound, QStringLiteral("There is no database %1.").arg(path),
                         otherFile);
    return {};
}

} // namespace

Database::Database(QString path, QString connectionName)
    : path_(std::move(path)), connectionName_(std::move(connectionName)) {}

Database::~Database() {
    handle_.close();
    handle_ = {}; // the last reference must be gone before removeDatabase
    QSqlDatabase::removeDatabase(connectionName_);
}

Expected<std::unique_ptr<Database>> Database::open(const QString& path, OpenOptions options) {
    if (auto place = checkPlace(path, options.readOnly); !place)
        return tl::unexpected(place.error());
    auto database = openAs(path, path, options);
    if (database || !options.readOnly || database.error().kind != ErrorKind::ReadOnly)
        return database;
    auto untouched = openUntouched(path, options);
    // A file that may not be read at all is better told by the first error.
    return untouched || untouched.error().kind != ErrorKind::ReadOnly ? std::move(untouched)
                                                                      : std::move(database);
}

Expected<std::unique_ptr<Database>> Database::openAs(const QString& path, const QString& name,
                                                     const OpenOptions& options) {
    // One patience for all of opening, whose steps would else wait one after the other.
    const QDeadlineTimer deadline(options.busyTimeoutMs);
    std::unique_ptr<Database> database(new Database(path, uniqueConnectionName()));
    auto opened = database->connect(name, options).and_then([&] { return database->checkIdentity(); });
    if (opened)
        opened = options.readOnly ? requireCurrentVersion(*database) : database->prepareForWriting(deadline);
    if (!opened)
        return tl::unexpected(opened.error());
    database->setBusyTimeout(options.busyTimeoutMs);
    return database;
}

Expected<std::unique_ptr<Database>> Database::openUntouched(const QString& path, const OpenOptions& options) {
    const QString log = path + QStringLiteral("-wal");
    if (QFileInfo(log).size() == 0) {
        const QByteArray encoded = QUrl::toPercentEncoding(QFileInfo(path).absoluteFilePath(), "/");
        return openAs(path, QStringLiteral("file:%1?immutable=1").arg(QString::fromLatin1(encoded)), options);
    }
    auto folder = std::make_unique<QTemporaryDir>();
    const QString copy = folder->filePath(QStringLiteral("copy.db"));
    if (!folder->isValid() || !QFile::copy(path, copy) || !QFile::copy(log, copy + QStringLiteral("-wal")))
        return makeError(
            ErrorKind::Io,
            QStringLiteral("The database %1 lies in a folder that cannot be written and has commits "
                           "in its -wal file, and no copy of both could be made in %2.")
                .arg(path, QDir::tempPath()),
            QStringLiteral("Free some space there, or copy the database and its -wal file to a "
                           "folder that you may write to and name that with --db."));
    return openAs(path, copy, options).map([&](std::unique_ptr<Database>&& database) {
        database->copy_ = std::move(folder);
        return std::move(database);
    });
}

Expected<> Database::connect(const QString& name, const OpenOptions& options) {
    if (!QSqlDatabase::isDriverAvailable(QStringLiteral("QSQLITE")))
        return makeError(ErrorKind::Internal, QStringLiteral("Qt's SQLite driver is not installed."),
                         QStringLiteral("Install it (Debian: apt install libqt6sql6-sqlite)."));
    handle_ = QSqlDatabase::addDatabase(QStringLiteral("QSQLITE"), connectionName_);
    handle_.setDatabaseName(name);
    QString connectOptions = QStringLiteral("QSQLITE_BUSY_TIMEOUT=%1").arg(options.busyTimeoutMs);
    if (options.readOnly)
        connectOptions += QStringLiteral(";QSQLITE_OPEN_READONLY");
    if (name != path_)
        connectOptions += QStringLiteral(";QSQLITE_OPEN_URI");
    handle_.setConnectOptions(connectOptions);
    if (!handle_.open())
        return tl::unexpected(sqlError(handle_.lastError(), path_, kOpening));
    for (const QString& pragma : {
             QStringLiteral("PRAGMA foreign_keys = ON"),
             QStringLiteral("PRAGMA synchronous = FULL"),
         })
        if (auto done = execute(pragma, {}, kOpening); !done)
            return tl::unexpected(done.error());
    return {};
}

void Database::setBusyTimeout(int milliseconds) {
    (void)execute(QStringLiteral("PRAGMA busy_timeout = %1").arg(milliseconds), {}, kOpening);
}

/// Ours, or empty; before anything is written into a file of somebody else.
Expected<> Database::checkIdentity() {
    // One moment for all reads: another process may be migrating a new file.
    const auto moment = Transaction::begin(*this, kOpening, Transaction::Kind::Read);
    if (!moment)
        return tl::unexpected(moment.error());
    const auto application = scalar(QStringLiteral("PRAGMA application_id"), {}, kOpening);
    if (!application)
        return tl::unexpected(application.error());
    if (application->toInt() == kApplicationId)
        return requireKnownVersion(*this);
    const auto tables = scalar(QStringLiteral("SELECT count(*) FROM sqlite_master"), {}, kOpening);
    if (!tables)
        return tl::unexpected(tables.error());
    if (application->toInt() == 0 && tables->toInt() == 0)
        return {};
    return makeError(
        ErrorKind::NotADatabase,
        QStringLiteral("%1 is an SQLite file of another program: expected application id %2, found %3.")
            .arg(path_, QString::number(kApplicationId), QString::number(application->toInt())),
        QStringLiteral("Choose another file with --db; this one was left as it is."));
}

Expected<> Database::prepareForWriting(const QDeadlineTimer& deadline) {
    const auto remaining = [&] { return static_cast<int>(deadline.remainingTime()); };
    setBusyTimeout(remaining());
    // SQLite does not call its busy handler while it switches the journal mode.
    auto mode = scalar(QStringLiteral("PRAGMA journal_mode = WAL"), {}, kOpening);
    while (!mode && mode.error().kind == ErrorKind::Locked && !deadline.hasExpired()) {
        QThread::msleep(20);
        mode = scalar(QStringLiteral("PRAGMA journal_mode = WAL"), {}, kOpening);
    }
    if (!mode)
        return tl::unexpected(mode.error());
    if (mode->toString() != QLatin1String("wal"))
        return makeError(
            ErrorKind::Io,
            QStringLiteral("The database %1 lies where SQLite cannot keep a write-ahead log: expected "
                           "journal mode wal, found %2.")
                .arg(path_, mode->toString()),
            QStringLiteral("Choose a file on a local disk with --db."));
    setBusyTimeout(remaining());
    return migrate(*this);
}

Expected<QSqlQuery> Database::execute(const QString& sql, const QVariantList& values, const QString& doing) {
    QSqlQuery query(handle_);
    query.setForwardOnly(true);
    if (!query.prepare(sql))
        return tl::unexpected(sqlError(query.lastError(), path_, doing));
    for (const QVariant& value : values) {
        // QtSql binds a null QString as NULL; here a string is always text.
        const bool nullText = value.typeId() == QMetaType::QString && value.toString().isNull();
        query.addBindValue(nullText ? QVariant(QLatin1String("")) : value);
    }
    if (!query.exec())
        return tl::unexpected(sqlError(query.lastError(), path_, doing));
    return query;
}

Expected<> Database::finished(const QSqlQuery& query, const QString& doing) const {
    if (query.lastError().type() == QSqlError::NoError)
        return {};
    return tl::unexpected(sqlError(query.lastError(), path_, doing));
}

Expected<QVariant> Database::scalar(const QString& sql, const QVariantList& values, const QString& doing) {
    auto rows = execute(sql, values, doing);
    if (!rows)
        return tl::unexpected(rows.error());
    QVariant value = rows->next() ? rows->value(0) : QVariant();
    if (auto done = finished(*rows, doing); !done)
        return tl::unexpected(done.error());
    return value;
}

Expected<QString> Database::integrityCheck() {
    return scalar(QStringLiteral("PRAGMA integrity_check(1)"), {}, QStringLiteral("checking it"))
        .map([](const QVariant& said) {
            return said.toString() == QLatin1String("ok") ? QString() : said.toString();
        });
}

Expected<Transaction> Transaction::begin(Database& database, const QString& doing, Kind kind) {
    const QString sql = kind == Kind::Write ? QStringLiteral("BEGIN IMMEDIATE") : QStringLiteral("BEGIN");
    if (auto begun = database.execute(sql, {}, doing); !begun)
        return tl::unexpected(begun.error());
    return Transaction(database, doing);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), doing_(std::move(other.doing_)) {}

Transaction::~Transaction() {
    if (database_) // SQLite may have rolled back by itself (full disk); then this fails, harmlessly
        (void)database_->execute(QStringLiteral("ROLLBACK"), {}, doing_);
}

Expected<> Transaction::commit() {
    if (auto done = database_->execute(QStringLiteral("COMMIT"), {}, doing_); !done)
        return tl::unexpected(done.error());
    database_ = nullptr;
    return {};
}

} // namespace quantscope::storage
