// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"

#include <QDeadlineTimer>
#include <QSqlDatabase>
#include <QSqlQuery>
#include <QTemporaryDir>
#include <QVariantList>
#include <memory>

namespace quantscope::storage {

/// How a connection is opened.
struct OpenOptions {
    bool readOnly = false;
    int busyTimeoutMs = 4000; ///< how long to wait for another program's transaction; for all of opening
};

/// One SQLite connection to a Quantscope database: opened, checked and, when written to, migrated.
///
/// WAL, so that readers never wait for the writer. `synchronous` is FULL: a commit is on the disk when it
/// returns, so neither kill -9 nor a power cut takes back a sample that was reported as stored. NORMAL
/// would survive kill -9 too, but not the power cut; a sample costs a model's forward passes, an fsync does
/// not, and it happens on the storage thread.
///
/// A connection belongs to the thread that opened it, and must be destroyed there.
class Database {
  public:
    /// Opens `path`; creates it unless `readOnly`. Reading works where SQLite may make no files beside it (a
    /// folder that is read-only), too: the file is then taken as one that nobody changes; where commits wait
    /// in its -wal file, a copy of both is read, as SQLite would leave them out. Errors: NotFound,
    /// NotADatabase, Newer, Older (read-only and in need of a migration), Corrupt, Locked, ReadOnly,
    /// DiskFull, Io.
    [[nodiscard]] static Expected<std::unique_ptr<Database>> open(const QString& path,
                                                                  OpenOptions options = {});
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    [[nodiscard]] const QString& path() const { return path_; }

    void setBusyTimeout(int milliseconds);

    /// Runs one statement with positional values. `doing` completes "... while {doing}" in an error.
    /// Null strings are bound as empty text; an invalid QVariant is NULL.
    [[nodiscard]] Expected<QSqlQuery> execute(const QString& sql, const QVariantList& values,
                                              const QString& doing);

    /// After a loop over `query.next()`: an error when the rows ended because reading failed.
    [[nodiscard]] Expected<> finished(const QSqlQuery& query, const QString& doing) const;

    /// First column of the first row; invalid when there is no row.
    [[nodiscard]] Expected<QVariant> scalar(const QString& sql, const QVariantList& values,
                                            const QString& doing);

    /// SQLite's own check of the whole file: empty when sound, else what it found.
    [[nodiscard]] Expected<QString> integrityCheck();

  private:
    Database(QString path, QString connectionName);
    [[nodiscard]] static Expected<std::unique_ptr<Database>> openAs(const QString& path, const QString& name,
                                                                    const OpenOptions& options);
    [[nodiscard]] static Expected<std::unique_ptr<Database>> openUntouched(const QString& path,
                                                                           const OpenOptions& options);
    [[nodiscard]] Expected<> connect(const QString& name, const OpenOptions& options);
    [[nodiscard]] Expected<> checkIdentity();
    [[nodiscard]] Expected<> prepareForWriting(const QDeadlineTimer& deadline);

    QString path_;
    QString connectionName_;
    QSqlDatabase handle_;
    std::unique_ptr<QTemporaryDir> copy_; ///< what is read instead of `path_`, or nothing
};

/// A transaction that is rolled back unless committed. `Write` takes the write lock at once (BEGIN
/// IMMEDIATE), so that a later statement cannot fail for a lock; `Read` pins one snapshot for several reads.
class Transaction {
  public:
    enum class Kind { Write, Read };
    [[nodiscard]] static Expected<Transaction> begin(Database& database, const QString& doing,
                                                     Kind kind = Kind::Write);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    [[nodiscard]] Expected<> commit();

  private:
    Transaction(Database& database, QString doing) : database_(&database), doing_(std::move(doing)) {}
    Database* database_; ///< null once committed or moved from
    QString doing_;
};

} // namespace quantscope::storage
