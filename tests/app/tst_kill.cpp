// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/campaign_fixture.h"
#include "tests/support/sandbox_allowed.h"

#include <QFileInfo>
#include <QProcess>
#include <QRandomGenerator>
#include <QThread>

#include <csignal>

using namespace quantscope;

namespace {

constexpr int kills = 10;
constexpr int samplesInAll = 2 * 24;

QStringList runArguments(const QString& database) {
    return {QStringLiteral("run"),
            QStringLiteral("--model"),
            QStringLiteral("demo"),
            QStringLiteral("--problems"),
            QStringLiteral("demo"),
            QStringLiteral("--schemes"),
            QStringLiteral("fp16,w4a4-rot"),
            QStringLiteral("--batch-sizes"),
            QStringLiteral("4"),
            QStringLiteral("--limit"),
            QStringLiteral("24"),
            QStringLiteral("--no-latency"),
            QStringLiteral("--max-new-tokens"),
            QStringLiteral("96"),
            QStringLiteral("--db"),
            database};
}

QStringList resumeArguments(const QString& database) {
    return {QStringLiteral("run"), QStringLiteral("--resume"), QStringLiteral("1"), QStringLiteral("--db"),
            database};
}

bool hasCampaign(const QString& database) {
    if (!QFileInfo::exists(database)) {
        return false;
    }
    const auto reader = storage::Reader::open(database);
    return reader && !(*reader)->repositories.campaigns.list().value_or(QList<storage::Campaign>()).isEmpty();
}

int storedSamples(const QString& database) {
    return hasCampaign(database) ? static_cast<int>(CampaignFixture::samplesOf(database).size()) : 0;
}

/// The worker that `parent` started, 0 when there is none.
qint64 workerOf(qint64 parent) {
    const QStringList entries =
        QDir(QStringLiteral("/proc")).entryList({QStringLiteral("[0-9]*")}, QDir::Dirs);
    for (const QString& entry : entries) {
        QFile stat(QStringLiteral("/proc/%1/stat").arg(entry));
        if (!stat.open(QIODevice::ReadOnly)) {
            continue;
        }
        const QByteArray line = stat.readAll(); // pid (name) state ppid ...
        const QList<QByteArray> fields = line.mid(line.lastIndexOf(')') + 2).split(' ');
        if (line.contains("(quantscope-work") && fields.size() > 1 && fields[1].toLongLong() == parent) {
            return entry.toLongLong();
        }
    }
    return 0;
}

bool isAlive(qint64 process) {
    return QFileInfo::exists(QStringLiteral("/proc/%1").arg(process));
}

} // namespace

/// kill -9 of the worker and of the whole app at random moments: the campaign, resumed each time, ends with
/// exactly the samples of an undisturbed one.
class KillTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void nothingIsLostAndNothingDoubled();

  private:
    void startApp(QProcess& app, const QString& database);
};

void KillTest::startApp(QProcess& app, const QString& database) {
    app.setProcessChannelMode(QProcess::MergedChannels);
    app.start(QStringLiteral(QUANTSCOPE_BIN_DIR "/quantscope"),
              hasCampaign(database) ? resumeArguments(database) : runArguments(database));
    QVERIFY(app.waitForStarted());
}

void KillTest::nothingIsLostAndNothingDoubled() {
    qputenv("QUANTSCOPE_WORKER", QUANTSCOPE_BIN_DIR "/quantscope-worker");
    const QTemporaryDir folder;
    const QString calm = folder.filePath(QStringLiteral("calm.db"));
    const QString wild = folder.filePath(QStringLiteral("wild.db"));
    int usualExit = 0;
    {
        QProcess app;
        startApp(app, calm);
        QVERIFY(app.waitForFinished(120'000));
        usualExit = app.exitCode();
        const QByteArray output = app.readAll();
        // Where no sandbox can be made all samples stay unscored: none may be lost all the same.
        constexpr int unscored = 5;
        QVERIFY2(usualExit == (test::sandboxAllowed() ? 0 : unscored), output.constData());
    }
    const QStringList expected = CampaignFixture::samplesOf(calm);
    QCOMPARE(expected.size(), samplesInAll);

    QRandomGenerator random(20261123);
    QList<int> moments; // numbers of stored samples at which to strike
    for (int i = 0; i < kills; ++i) {
        moments << random.bounded(samplesInAll * 3 / 4);
    }
    std::sort(moments.begin(), moments.end());

    auto app = std::make_unique<QProcess>();
    startApp(*app, wild);
    QList<qint64> workers;
    for (int i = 0; i < kills; ++i) {
        const bool strikeWorker = random.bounded(2) == 0;
        qint64 worker = 0;
        while (storedSamples(wild) < moments[i] || (strikeWorker && worker == 0)) {
            QThread::msleep(5);
            worker = workerOf(app->processId());
            if (app->waitForFinished(0) || app->state() == QProcess::NotRunning) {
                QVERIFY2(app->exitCode() != 0, "the campaign ended before its last kill");
                app = std::make_unique<QProcess>(); // two kills of the worker were enough for it
                startApp(*app, wild);
            }
        }
        QThread::msleep(random.bounded(60U));
        worker = workerOf(app->processId());
        workers << worker;
        const qint64 target = strikeWorker && worker != 0 ? worker : app->processId();
        if (target > 0) { // 0 would be this test's own process group
            ::kill(static_cast<pid_t>(target), SIGKILL);
        }
        if (!strikeWorker || worker == 0) {
            app->waitForFinished();
            app = std::make_unique<QProcess>();
            startApp(*app, wild);
        }
    }
    app->waitForFinished(120'000);
    for (int tries = 0; tries < kills && app->exitCode() != 0; ++tries) {
        startApp(*app, wild);
        QVERIFY(app->waitForFinished(120'000));
    }
    QVERIFY2(app->exitCode() == usualExit, app->readAll().constData());

    QCOMPARE(CampaignFixture::samplesOf(wild),
             expected); // completion and verdict of each, none lost, none double
    const auto reader = storage::Reader::open(wild);
    const auto campaigns = *(*reader)->repositories.campaigns.list();
    QCOMPARE(campaigns.size(), 1);
    QCOMPARE(campaigns.first().status, storage::RunStatus::Done);
    for (const qint64 worker : workers) {
        QTRY_VERIFY_WITH_TIMEOUT(worker == 0 || !isAlive(worker), 15'000); // no worker outlives its app
    }
}

QTEST_GUILESS_MAIN(KillTest)
#include "tst_kill.moc"
