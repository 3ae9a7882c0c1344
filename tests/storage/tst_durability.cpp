// SPDX-License-Identifier: Apache-2.0
#include "storage/reader.h"
#include "tests/storage/fixture.h"

#include <QRandomGenerator>
#include <QRegularExpression>
#include <QStandardPaths>
#include <csignal>

using namespace quantscope::storage;
using namespace quantscope::storage::test;

class DurabilityTest : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void init();
    void survivesKill9WhileItIsMade();
    void survivesKill9();
    void aFullDatabaseLosesNothing();
    void aFullDiskLosesNothing();

  private:
    std::unique_ptr<QTemporaryDir> dir_;
};

void DurabilityTest::init() {
    QTest::failOnWarning(QRegularExpression(QStringLiteral(".?")));
    dir_ = std::make_unique<QTemporaryDir>();
}

/// Kills the child `delayMs` after its start (never, if negative); returns the tasks it called stored.
static QStringList insertAndKill(const QString& path, Id runId, int count, int delayMs) {
    QProcess child;
    child.start(childProgram(),
                {QStringLiteral("insert"), path, QString::number(runId), QString::number(count)});
    child.waitForStarted();
    if (delayMs >= 0) {
        QTest::qSleep(delayMs);
        ::kill(pid_t(child.processId()), SIGKILL);
    }
    child.waitForFinished(20000);
    QStringList tasks = QString::fromUtf8(child.readAllStandardOutput()).split(QLatin1Char('\n'));
    tasks.removeLast(); // what follows the last newline: nothing, or a line cut off
    return tasks;
}

/// Between making the file and the end of the migration.
void DurabilityTest::survivesKill9WhileItIsMade() {
    QRandomGenerator random(7);
    int unfinished = 0;
    for (int round = 0; round < 10; ++round) {
        const QString path = dir_->filePath(QStringLiteral("%1.db").arg(round));
        insertAndKill(path, 1, 0, 1 + random.bounded(40));
        unfinished += QFile::exists(path) ? 0 : 1;
        GET(database, Database::open(path));
        GET(trouble, database->integrityCheck());
        QCOMPARE(trouble, QString());
        Repositories repositories(*database);
        OK(repositories.campaigns.create(exampleSpec()));
    }
    QVERIFY(unfinished < 10); // some came as far as making the file
}

void DurabilityTest::survivesKill9() {
    const QString path = dir_->filePath(QStringLiteral("q.db"));
    Id runId = 0;
    {
        GET(database, Database::open(path));
        Repositories repositories(*database);
        GET(campaign, repositories.campaigns.create(exampleSpec()));
        runId = repositories.runs.list(campaign.id)->first().id;
    }
    constexpr int kSamples = 1000;
    QRandomGenerator random(20261123);
    QSet<QString> printed;
    int kills = 0;
    for (int round = 0; round <= 10; ++round) {
        const int delayMs = round < 10 ? random.bounded(150) : -1; // the last one may finish
        const QStringList tasks =
            insertAndKill(path, runId, round < 10 ? kSamples : int(printed.size()) + 20, delayMs);
        kills += delayMs >= 0 ? 1 : 0;
        for (const QString& task : tasks) {
            QVERIFY2(!printed.contains(task), qPrintable(task + QStringLiteral(" was stored twice")));
            printed << task;
        }
        GET(reader, Reader::open(path));
        GET(trouble, reader->database().integrityCheck());
        QCOMPARE(trouble, QString());
        GET(samples, reader->repositories.samples.list(runId));
        GET(keys, reader->repositories.samples.keys(runId));
        QCOMPARE(samples.size(), keys.size());
        for (const QString& task : std::as_const(printed))
            QVERIFY2(keys.contains({task, 0}), qPrintable(task + QStringLiteral(" was lost")));
        // A kill may come between the commit and the line that tells of it.
        QVERIFY(keys.size() - printed.size() <= kills);
        for (const Sample& sample : samples)
            QCOMPARE(sample.completion.size(), 700);
    }
    QVERIFY(printed.size() > 20);
}

/// SQLite reports a page limit just as it reports a disk without space.
void DurabilityTest::aFullDatabaseLosesNothing() {
    const QString path = dir_->filePath(QStringLiteral("q.db"));
    GET(database, Database::open(path));
    Repositories repositories(*database);
    GET(campaign, repositories.campaigns.create(exampleSpec()));
    const Id runId = repositories.runs.list(campaign.id)->first().id;
    OK(database->scalar(QStringLiteral("PRAGMA max_page_count = 60"), {}, {}));
    int stored = 0;
    Expected<bool> last = true;
    while (last && stored < 10000) {
        Sample sample = exampleSample(runId, stored);
        sample.completion = QString(3000, QLatin1Char('x'));
        last = repositories.samples.insert(sample);
        stored += last ? 1 : 0;
    }
    FAILS(ErrorKind::DiskFull, last, path, QStringLiteral("No space"),
          QStringLiteral("HumanEval/%1").arg(stored), QStringLiteral("KiB free"));
    FAILS(ErrorKind::DiskFull,
          repositories.problems.store(QStringLiteral("h"),
                                      {{0, QStringLiteral("t"), QString(200000, QLatin1Char('p')), {}, 0}}),
          path);

    OK(database->scalar(QStringLiteral("PRAGMA max_page_count = 100000"), {}, {})); // space again
    OK(repositories.samples.insert(exampleSample(runId, stored)));
    GET(reader, Reader::open(path));
    GET(keys, reader->repositories.samples.keys(runId));
    QCOMPARE(keys.size(), stored + 1);
    GET(trouble, reader->database().integrityCheck());
    QCOMPARE(trouble, QString());
}

/// A real file system of one MiB, in a mount namespace of the child's own.
void DurabilityTest::aFullDiskLosesNothing() {
    const QString folder = dir_->path();
    QProcess child;
    child.start(
        QStringLiteral("bwrap"),
        {QStringLiteral("--dev-bind"), QStringLiteral("/"), QStringLiteral("/"), QStringLiteral("--size"),
         QStringLiteral("1048576"), QStringLiteral("--tmpfs"), folder, QStringLiteral("sh"),
         QStringLiteral("-c"),
         QStringLiteral(
             "head -c 400000 /dev/zero > \"$0/ballast\" && exec \"$1\" fill \"$0/q.db\" \"$0/ballast\""),
         folder, childProgram()});
    if (!child.waitForStarted() ||
        (child.waitForFinished(20000) && child.readAllStandardError().contains("bwrap:")))
        QSKIP("bubblewrap cannot make a file system here");
    QCOMPARE(child.exitCode(), 0);
    QMap<QString, QString> said;
    for (const QString& line :
         QString::fromUtf8(child.readAllStandardOutput()).split(QLatin1Char('\n'), Qt::SkipEmptyParts))
        said.insert(line.section(QLatin1Char(' '), 0, 0), line.section(QLatin1Char(' '), 1));
    QCOMPARE(said.value(QStringLiteral("kind")).toInt(), int(ErrorKind::DiskFull));
    QVERIFY2(said.value(QStringLiteral("message")).contains(folder + QStringLiteral("/q.db")),
             qPrintable(said.value(QStringLiteral("message"))));
    QVERIFY(said.value(QStringLiteral("hint")).contains(QLatin1String("Free some space")));
    QVERIFY2(said.value(QStringLiteral("export"))
                 .contains(folder + QStringLiteral("/q.db.jsonl: writing failed: No space left")),
             qPrintable(said.value(QStringLiteral("export"))));
    QCOMPARE(said.value(QStringLiteral("half")), QStringLiteral("0"));
    QCOMPARE(said.value(QStringLiteral("again")), QStringLiteral("stored"));
    QVERIFY(said.value(QStringLiteral("expected")).toInt() > 10);
    QCOMPARE(said.value(QStringLiteral("found")), said.value(QStringLiteral("expected")));
    QCOMPARE(said.value(QStringLiteral("integrity")), QString());
}

QTEST_GUILESS_MAIN(DurabilityTest)
#include "tst_durability.moc"
