// SPDX-License-Identifier: Apache-2.0
#include "storage/migrations.h"
#include "storage/reader.h"
#include "tests/storage/fixture.h"

#include <QElapsedTimer>
#include <QMutex>
#include <QRegularExpression>
#include <QThreadPool>
#include <unistd.h>

using namespace quantscope::storage;
using namespace quantscope::storage::test;

class OpeningTest : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void init();
    void makesANewFile();
    void anEmptyFileIsNew();
    void migratesStepByStep();
    void aFailingMigrationLeavesTheVersionBefore();
    void anUnfinishedMigrationLeavesAnEmptyFile();
    void manyOpenANewFileAtOnce();
    void refusesANewerFile();
    void refusesWhatIsNoDatabase_data();
    void refusesWhatIsNoDatabase();
    void refusesAPlace_data();
    void refusesAPlace();
    void aReaderMakesNoFile();
    void aReaderMigratesAnOldFile();
    void saysThatAFileIsLocked();
    void saysThatAFolderIsReadOnly();
    void readsInAReadOnlyFolder_data();
    void readsInAReadOnlyFolder();
    void waitsForALockOnce_data();
    void waitsForALockOnce();
    void saysThatAFileIsDamaged_data();
    void saysThatAFileIsDamaged();

  private:
    [[nodiscard]] QString file(const char* name = "q.db") const {
        return dir_->filePath(QLatin1String(name));
    }
    std::unique_ptr<QTemporaryDir> dir_;
};

void OpeningTest::init() {
    QTest::failOnWarning(QRegularExpression(QStringLiteral(".?"))); // QtSql warns when a connection leaks
    dir_ = std::make_unique<QTemporaryDir>();
    QVERIFY(dir_->isValid());
}

void OpeningTest::makesANewFile() {
    for (int time = 0; time < 2; ++time) {
        GET(database, Database::open(file()));
        const std::pair<const char*, QVariant> pragmas[] = {{"journal_mode", QStringLiteral("wal")},
                                                            {"user_version", currentVersion()},
                                                            {"application_id", kApplicationId},
                                                            {"foreign_keys", 1},
                                                            {"synchronous", 2},
                                                            {"busy_timeout", 4000}};
        for (const auto& [pragma, value] : pragmas) {
            GET(found, database->scalar(QStringLiteral("PRAGMA ") + QLatin1String(pragma), {}, {}));
            QCOMPARE(found.toString(), value.toString());
        }
        GET(trouble, database->integrityCheck());
        QCOMPARE(trouble, QString());
    }
    QVERIFY2(QSqlDatabase::connectionNames().isEmpty(), "a connection was not removed");
    QVERIFY(!QFile::exists(file("q.db-wal"))); // closed cleanly
}

void OpeningTest::anEmptyFileIsNew() {
    QVERIFY(writeBytes(file(), {}));
    OK(Database::open(file()));
}

void OpeningTest::migratesStepByStep() {
    GET(database, Database::open(file()));
    QList<Migration> list = migrations();
    const int first = currentVersion();
    list << Migration{first + 1,
                      {QStringLiteral("CREATE TABLE extra (a INTEGER)"),
                       QStringLiteral("INSERT INTO extra VALUES (7)")}}
         << Migration{first + 2, {QStringLiteral("UPDATE extra SET a = a + 1")}};
    OK(migrate(*database, list));
    OK(migrate(*database, list)); // nothing twice
    GET(value, database->scalar(QStringLiteral("SELECT a FROM extra"), {}, {}));
    QCOMPARE(value.toInt(), 8);
    GET(version, database->scalar(QStringLiteral("PRAGMA user_version"), {}, {}));
    QCOMPARE(version.toInt(), first + 2);
}

void OpeningTest::aFailingMigrationLeavesTheVersionBefore() {
    GET(database, Database::open(file()));
    QList<Migration> list = migrations();
    const int first = currentVersion();
    list << Migration{first + 1, {QStringLiteral("CREATE TABLE good (a INTEGER)")}}
         << Migration{first + 2,
                      {QStringLiteral("CREATE TABLE bad (a INTEGER)"),
                       QStringLiteral("INSERT INTO nowhere VALUES (1)")}};
    FAILS(ErrorKind::Internal, migrate(*database, list), file(), QStringLiteral("version %1").arg(first + 2));
    GET(version, database->scalar(QStringLiteral("PRAGMA user_version"), {}, {}));
    QCOMPARE(version.toInt(), first + 1);
    GET(tables,
        database->scalar(
            QStringLiteral("SELECT group_concat(name) FROM sqlite_master WHERE name IN ('good', 'bad')"), {},
            {}));
    QCOMPARE(tables.toString(), QStringLiteral("good"));
}

/// A crash between making the file and committing the schema leaves an empty WAL database.
void OpeningTest::anUnfinishedMigrationLeavesAnEmptyFile() {
    QVERIFY(rawSql(file(), {QStringLiteral("PRAGMA journal_mode = WAL"), QStringLiteral("CREATE TABLE a (b)"),
                            QStringLiteral("DROP TABLE a")}));
    OK(Database::open(file()));
}

void OpeningTest::manyOpenANewFileAtOnce() {
    QThreadPool pool;
    pool.setMaxThreadCount(8);
    QAtomicInt opened;
    QMutex mutex;
    QStringList errors;
    for (int i = 0; i < 8; ++i)
        pool.start([&] {
            const auto database = Database::open(file());
            const QMutexLocker lock(&mutex);
            database ? void(++opened) : void(errors << database.error().message);
        });
    pool.waitForDone();
    QVERIFY2(opened == 8, qPrintable(errors.join(QLatin1Char('\n'))));
}

void OpeningTest::refusesANewerFile() {
    OK(Database::open(file()));
    QVERIFY(rawSql(file(), {QStringLiteral("PRAGMA user_version = 99")}));
    const QByteArray before = bytesOf(file());
    for (const bool readOnly : {false, true}) {
        const auto database = Database::open(file(), {readOnly});
        FAILS(ErrorKind::Newer, database, file(), QStringLiteral("newer"),
              QStringLiteral("version %1").arg(currentVersion()), QStringLiteral("99"));
        QVERIFY(database.error().hint.contains(QLatin1String("--db")));
    }
    QCOMPARE(bytesOf(file()), before);
}

void OpeningTest::refusesWhatIsNoDatabase_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QStringList>("sql");
    QTest::newRow("short text") << QByteArray("hello\n") << QStringList();
    QTest::newRow("long text") << QByteArray(20000, 'a') << QStringList();
    QTest::newRow("zeros") << QByteArray(8192, '\0') << QStringList();
    QTest::newRow("damaged header")
        << QByteArray("SQLite format 3\0garbagegarbagegarbage", 37).leftJustified(4096, 'z') << QStringList();
    QTest::newRow("another program's tables")
        << QByteArray() << QStringList{QStringLiteral("CREATE TABLE moz_places (id)")};
    QTest::newRow("another program's id")
        << QByteArray() << QStringList{QStringLiteral("PRAGMA application_id = 1196444487")};
}

void OpeningTest::refusesWhatIsNoDatabase() {
    QFETCH(QByteArray, bytes);
    QFETCH(QStringList, sql);
    QVERIFY(sql.isEmpty() ? writeBytes(file(), bytes) : rawSql(file(), sql));
    const QByteArray before = bytesOf(file());
    QVERIFY(!before.isEmpty());
    const auto database = Database::open(file());
    FAILS(ErrorKind::NotADatabase, database, file(), QStringLiteral("expected"), QStringLiteral("found"));
    QVERIFY(!database.error().hint.isEmpty());
    QCOMPARE(bytesOf(file()), before);
}

void OpeningTest::refusesAPlace_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<ErrorKind>("kind");
    QTest::addColumn<QString>("part");
    QTest::newRow("missing folder") << "@/none/q.db" << ErrorKind::NotFound << "@/none does not exist";
    QTest::newRow("a folder") << "@" << ErrorKind::BadInput << "is a folder";
    QTest::newRow("no name") << "" << ErrorKind::BadInput << "empty";
    QTest::newRow("no files can be made there") << "/proc/q.db" << ErrorKind::ReadOnly << "/proc/q.db";
}

void OpeningTest::refusesAPlace() {
    QFETCH(QString, path);
    QFETCH(ErrorKind, kind);
    QFETCH(QString, part);
    path.replace(QLatin1Char('@'), dir_->path());
    part.replace(QLatin1Char('@'), dir_->path());
    const auto database = Database::open(path);
    FAILS(kind, database, part);
    QVERIFY(!database.error().hint.isEmpty());
}

void OpeningTest::aReaderMakesNoFile() {
    FAILS(ErrorKind::NotFound, Reader::open(file()), file());
    QVERIFY(!QFile::exists(file()));
    OK(Database::open(file()));
    GET(reader, Reader::open(file()));
    FAILS(ErrorKind::ReadOnly, reader->repositories.campaigns.create(exampleSpec()), file());
}

void OpeningTest::aReaderMigratesAnOldFile() {
    QVERIFY(rawSql(file(), {QStringLiteral("PRAGMA application_id = %1").arg(kApplicationId)})); // version 0
    FAILS(ErrorKind::Older, Database::open(file(), {true}), file(), QStringLiteral("found 0"));
    GET(reader, Reader::open(file()));
    GET(campaigns, reader->repositories.campaigns.list());
    QVERIFY(campaigns.isEmpty());
}

void OpeningTest::saysThatAFileIsLocked() {
    GET(database, Database::open(file(), {false, 200}));
    QProcess other;
    other.start(childProgram(), {QStringLiteral("hold"), file()});
    QVERIFY(other.waitForReadyRead(5000));
    QCOMPARE(other.readLine().trimmed(), QByteArray("held"));

    QElapsedTimer waited;
    waited.start();
    FAILS(ErrorKind::Locked, Database::open(file(), {false, 200}), file(),
          QStringLiteral("locked by another program"));
    QVERIFY(waited.elapsed() >= 190);
    Repositories repositories(*database);
    FAILS(ErrorKind::Locked, repositories.campaigns.create(exampleSpec()), file(),
          QStringLiteral("storing a campaign"));
    GET(none, repositories.campaigns.list()); // reading goes on
    QVERIFY(none.isEmpty());

    other.closeWriteChannel();
    QVERIFY(other.waitForFinished(5000));
    OK(repositories.campaigns.create(exampleSpec()));
}

void OpeningTest::saysThatAFolderIsReadOnly() {
    OK(Database::open(file()));
    const auto readOnly =
        QFileDevice::ReadOwner | QFileDevice::ExeOwner | QFileDevice::ReadOther | QFileDevice::ExeOther;
    QVERIFY(QFile::setPermissions(dir_->path(), readOnly));
    QVERIFY(QFile::setPermissions(file(), QFileDevice::ReadOwner | QFileDevice::ReadOther));
    const bool root = geteuid() == 0; // permissions do not stop root
    QVERIFY(!root || seteuid(65534) == 0);
    const auto existing = Database::open(file());
    const auto fresh = Database::open(file("new.db"));
    QVERIFY(!root || seteuid(0) == 0);
    QVERIFY(QFile::setPermissions(dir_->path(), readOnly | QFileDevice::WriteOwner));
    FAILS(ErrorKind::ReadOnly, existing, file());
    FAILS(ErrorKind::ReadOnly, fresh, file("new.db"));
    QVERIFY(fresh.error().hint.contains(QLatin1String("writable")));
}

void OpeningTest::readsInAReadOnlyFolder_data() {
    QTest::addColumn<bool>("commitsInTheLog");
    QTest::newRow("closed cleanly") << false;
    QTest::newRow("commits in the -wal file") << true;
}

void OpeningTest::readsInAReadOnlyFolder() {
    QFETCH(bool, commitsInTheLog);
    const QString folder = dir_->filePath(QStringLiteral("a b%?#"));
    QVERIFY(QDir().mkpath(folder));
    const QString path = folder + QStringLiteral("/q.db");
    {
        GET(database, Database::open(file()));
        Repositories stored(*database);
        OK(stored.campaigns.create(exampleSpec()));
        if (commitsInTheLog) { // as a killed process leaves them; closing would move them into the file
            QVERIFY(QFile::copy(file(), path) &&
                    QFile::copy(file("q.db-wal"), path + QStringLiteral("-wal")));
        }
    }
    if (!commitsInTheLog)
        QVERIFY(QFile::copy(file(), path));
    const auto reading = QFileDevice::ReadOwner | QFileDevice::ExeOwner | QFileDevice::ReadGroup |
                         QFileDevice::ExeGroup | QFileDevice::ReadOther | QFileDevice::ExeOther;
    QVERIFY(QFile::setPermissions(dir_->path(), reading | QFileDevice::WriteOwner));
    QVERIFY(QFile::setPermissions(folder, reading));
    const QStringList before = QDir(folder).entryList(QDir::Files);
    const bool root = geteuid() == 0; // permissions do not stop root
    QVERIFY(!root || seteuid(65534) == 0);
    auto reader = Reader::open(path);
    const auto campaigns = reader ? (*reader)->repositories.campaigns.list()
                                  : Expected<QList<Campaign>>(tl::unexpected(reader.error()));
    const auto refused =
        reader ? (*reader)->repositories.campaigns.rename(1, QStringLiteral("x")) : Expected<>();
    const auto writing = Database::open(path);
    if (reader)
        reader->reset();
    QVERIFY(!root || seteuid(0) == 0);
    QVERIFY(QFile::setPermissions(folder, reading | QFileDevice::WriteOwner));
    GET(list, campaigns);
    QCOMPARE(list.size(), 1);
    FAILS(ErrorKind::ReadOnly, refused);
    FAILS(ErrorKind::ReadOnly, writing, path);
    QCOMPARE(QDir(folder).entryList(QDir::Files), before);
}

void OpeningTest::waitsForALockOnce_data() {
    QTest::addColumn<QString>("how");
    for (const char* how : {"hold", "hold-exclusive"})
        QTest::newRow(how) << QString::fromLatin1(how);
}

/// However the other program locks it, opening waits no longer than it was told.
void OpeningTest::waitsForALockOnce() {
    QFETCH(QString, how);
    OK(Database::open(file()));
    QProcess other;
    other.start(childProgram(), {how, file()});
    QVERIFY(other.waitForReadyRead(5000));
    QElapsedTimer waited;
    waited.start();
    FAILS(ErrorKind::Locked, Database::open(file(), {false, 400}), file());
    QVERIFY2(waited.elapsed() < 2 * 400 + 200, qPrintable(QString::number(waited.elapsed())));
    other.closeWriteChannel();
    QVERIFY(other.waitForFinished(5000));
}

void OpeningTest::saysThatAFileIsDamaged_data() {
    QTest::addColumn<bool>("truncate");
    QTest::newRow("overwritten in the middle") << false;
    QTest::newRow("cut off") << true;
}

void OpeningTest::saysThatAFileIsDamaged() {
    QFETCH(bool, truncate);
    Id runId = 0;
    {
        GET(database, Database::open(file()));
        Repositories repositories(*database);
        GET(campaign, repositories.campaigns.create(exampleSpec()));
        runId = repositories.runs.list(campaign.id)->first().id;
        GET(transaction, Transaction::begin(*database, {}));
        for (int i = 0; i < 2000; ++i)
            OK(repositories.samples.insert(exampleSample(runId, i)));
        OK(transaction.commit());
    }
    QByteArray bytes = bytesOf(file());
    QVERIFY(bytes.size() > 200000);
    if (truncate)
        bytes.truncate(bytes.size() / 2);
    else // everything but the schema on the first pages
        for (qsizetype i = bytes.size() / 4; i < bytes.size(); ++i)
            bytes[i] = char(i * 31);
    QVERIFY(writeBytes(file(), bytes));

    const auto reader = Reader::open(file());
    if (!reader)
        FAILS(ErrorKind::Corrupt, reader, file(), QStringLiteral("damaged"));
    else
        FAILS(ErrorKind::Corrupt, (*reader)->repositories.samples.list(runId), file(),
              QStringLiteral("damaged"));
}

QTEST_GUILESS_MAIN(OpeningTest)
#include "tst_opening.moc"
