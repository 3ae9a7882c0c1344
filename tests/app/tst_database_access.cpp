// SPDX-License-Identifier: GPL-3.0-or-later
// The commands on a database that others hold, or that lies where nothing may be written.
#include "storage/database.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <unistd.h>

using namespace quantscope;

namespace {

constexpr auto reading = QFileDevice::ReadOwner | QFileDevice::ExeOwner | QFileDevice::ReadGroup |
                         QFileDevice::ExeGroup | QFileDevice::ReadOther | QFileDevice::ExeOther;

QStringList runArguments(const QString& database) {
    return {QStringLiteral("run"),
            QStringLiteral("--model"),
            QStringLiteral("demo"),
            QStringLiteral("--problems"),
            QStringLiteral("demo"),
            QStringLiteral("--schemes"),
            QStringLiteral("fp16,int8"),
            QStringLiteral("--latency-requests"),
            QStringLiteral("2"),
            QStringLiteral("--db"),
            database};
}

} // namespace

class DatabaseAccessTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void aReadOnlyFolderCanBeRead_data();
    void aReadOnlyFolderCanBeRead();
    void aLockedDatabaseEndsWithItsSentence_data();
    void aLockedDatabaseEndsWithItsSentence();
    void ctrlCWorksWhileItIsLocked();

  private:
    void start(QProcess& process, const QStringList& arguments);
    QString path(const char* name) const { return folder_.filePath(QLatin1String(name)); }
    QTemporaryDir folder_;
    QString database_; ///< with one finished campaign
};

void DatabaseAccessTest::start(QProcess& process, const QStringList& arguments) {
    QProcessEnvironment variables = QProcessEnvironment::systemEnvironment();
    variables.insert(QStringLiteral("QUANTSCOPE_WORKER"), QStringLiteral(QUANTSCOPE_FAKE_WORKER));
    variables.insert(QStringLiteral("QUANTSCOPE_FAKE_STREAM"),
                     QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl"));
    variables.insert(QStringLiteral("QUANTSCOPE_FAKE_DELAY_MS"), QStringLiteral("5"));
    variables.insert(QStringLiteral("XDG_DATA_HOME"), path("home"));
    process.setProcessEnvironment(variables);
    process.start(QStringLiteral(QUANTSCOPE_BIN_DIR "/quantscope"), arguments);
}

void DatabaseAccessTest::initTestCase() {
    database_ = path("campaigns.db");
    QProcess process;
    start(process, runArguments(database_));
    QVERIFY(process.waitForFinished(60'000));
    QVERIFY2(process.exitCode() == 0, process.readAllStandardError().constData());
}

void DatabaseAccessTest::aReadOnlyFolderCanBeRead_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::newRow("list") << QStringList{"list"};
    QTest::newRow("show") << QStringList{"show"};
    QTest::newRow("compare") << QStringList{"compare"};
    QTest::newRow("export") << QStringList{"export", "--what", "results", "--format", "csv", "--out", "@"};
    QTest::newRow("charts") << QStringList{"export", "--what", "charts", "--format", "svg", "--out", "@"};
    QTest::newRow("report") << QStringList{"report", "--out", "@/report.html"};
}

void DatabaseAccessTest::aReadOnlyFolderCanBeRead() {
    QFETCH(QStringList, arguments);
    const QString folder = path("shared");
    const QString out = path("out");
    const QString copy = folder + QStringLiteral("/campaigns.db");
    QVERIFY(QDir().mkpath(folder) && QDir().mkpath(out));
    QVERIFY(QFile::setPermissions(folder, reading | QFileDevice::WriteOwner));
    if (!QFile::exists(copy)) {
        QVERIFY(QFile::copy(database_, copy));
    }
    QVERIFY(QFile::setPermissions(folder_.path(), reading | QFileDevice::WriteOwner));
    QVERIFY(QFile::setPermissions(folder, reading));
    QVERIFY(QFile::setPermissions(out, reading | QFileDevice::WriteOwner | QFileDevice::WriteOther));
    arguments.replaceInStrings(QStringLiteral("@"), out);
    QProcess process;
    if (geteuid() == 0) { // permissions do not stop root
        process.setChildProcessModifier([] {
            if (setgid(65534) != 0 || setuid(65534) != 0) {
                _exit(99);
            }
        });
    }
    start(process, arguments + QStringList{QStringLiteral("--db"), copy});
    const bool started = process.waitForFinished(30'000);
    QVERIFY(QFile::setPermissions(folder, reading | QFileDevice::WriteOwner));
    if (!started && process.error() == QProcess::FailedToStart) {
        QSKIP("another user may not run what was built here");
    }
    QVERIFY2(process.exitCode() == 0, process.readAllStandardError().constData());
    QVERIFY(process.readAllStandardOutput().size() > 20);
    QCOMPARE(QDir(folder).entryList(QDir::Files), QStringList{QStringLiteral("campaigns.db")});
}

void DatabaseAccessTest::aLockedDatabaseEndsWithItsSentence_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::newRow("list") << QStringList{"list", "--db", database_};
    QTest::newRow("show") << QStringList{"show", "--db", database_};
    QTest::newRow("run") << runArguments(database_);
    QTest::newRow("resume") << QStringList{"run", "--resume", "1", "--db", database_};
    QTest::newRow("import") << QStringList{"import", "1", "--file", path("none.jsonl"), "--db", database_};
}

void DatabaseAccessTest::aLockedDatabaseEndsWithItsSentence() {
    QFETCH(QStringList, arguments);
    auto other = storage::Database::open(database_);
    QVERIFY(other);
    QVERIFY((*other)->execute(QStringLiteral("PRAGMA locking_mode = EXCLUSIVE"), {}, {}));
    auto lock = storage::Transaction::begin(**other, {});
    QVERIFY(lock);
    QProcess process;
    QElapsedTimer waited;
    waited.start();
    start(process, arguments);
    QVERIFY(process.waitForFinished(20'000));
    QVERIFY2(waited.elapsed() < 10'000, qPrintable(QString::number(waited.elapsed())));
    QVERIFY(process.exitCode() != 0);
    const QByteArray said = process.readAllStandardError();
    QVERIFY2(said.contains("stayed locked by another program"), said.constData());
}

void DatabaseAccessTest::ctrlCWorksWhileItIsLocked() {
    auto other = storage::Database::open(database_);
    QVERIFY(other);
    auto lock = storage::Transaction::begin(**other, {});
    QVERIFY(lock);
    QProcess process;
    start(process, runArguments(database_));
    QVERIFY(process.waitForStarted());
    QTest::qWait(700); // it waits for the lock, 4 s in all
    QElapsedTimer waited;
    waited.start();
    ::kill(static_cast<pid_t>(process.processId()), SIGINT);
    QVERIFY(process.waitForFinished(20'000));
    QVERIFY2(waited.elapsed() < 2500, qPrintable(QString::number(waited.elapsed())));
}

QTEST_GUILESS_MAIN(DatabaseAccessTest)
#include "tst_database_access.moc"
