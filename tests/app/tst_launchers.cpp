// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/campaign_fixture.h"

#include <QElapsedTimer>
#include <QProcess>
#include <QStandardPaths>

#include <csignal>

using namespace quantscope;
using namespace quantscope::campaign;
using storage::RunStatus;

namespace {

QString launcher(const char* name) {
    return QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/launchers/") + QLatin1String(name);
}

storage::CampaignSpec specBehind(const QStringList& words) {
    storage::CampaignSpec spec = demoSpec();
    spec.launcher = words;
    spec.latency.requests = 2;
    return spec;
}

QString messageOf(const CampaignOutcome& outcome) {
    return outcome.error ? QString::fromStdString(outcome.error->message + " " + outcome.error->hint)
                         : QString();
}

WorkerPatience impatient() {
    WorkerPatience patience;
    patience.noticeMs = 100;
    patience.remoteHelloMs = 700;
    patience.terminateMs = 500;
    return patience;
}

struct Ended {
    int exitCode = -1;
    QByteArray out, err;
};

} // namespace

/// What stands between us and a worker elsewhere: banners, labels, terminals, queues, refusals. The worker
/// behind the launcher is a recording.
class LaunchersTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void whatLaunchersAddIsTakenOff_data();
    void whatLaunchersAddIsTakenOff();
    void theRealWorkerRunsBehindATerminal();
    void whatIsAwaitedIsToldAndTheLimitNamesTheLastLines();
    void waitingCanBeStopped();
    void aLauncherThatFailsIsNamedWithItsLastWords_data();
    void aLauncherThatFailsIsNamedWithItsLastWords();
    void theCommandLineTellsWhatIsAwaited();
    void theCommandLineGivesUpAfterItsLimit();

  private:
    Ended run(const QStringList& more, int interruptAfterMs = 0) const;
    QTemporaryDir folder_;
};

void LaunchersTest::init() {
    qputenv("QUANTSCOPE_WORKER", QUANTSCOPE_FAKE_WORKER);
    qputenv("QUANTSCOPE_FAKE_STREAM", QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl");
}

void LaunchersTest::whatLaunchersAddIsTakenOff_data() {
    QTest::addColumn<QStringList>("words");
    QTest::newRow("banner without a line end") << QStringList{launcher("motd-without-line-end")};
    QTest::newRow("labels and pieces") << QStringList{launcher("labelled")};
    QTest::newRow("both") << QStringList{launcher("labelled"), launcher("motd-without-line-end")};
    QTest::newRow("an echoing terminal") << QStringList{launcher("terminal")};
    QTest::newRow("plain") << QStringList{QStringLiteral("env")};
}

void LaunchersTest::whatLaunchersAddIsTakenOff() {
    QFETCH(QStringList, words);
    if (words.first() == launcher("terminal") &&
        QStandardPaths::findExecutable(QStringLiteral("script")).isEmpty()) {
        QSKIP("`script` (Debian: bsdutils) is not installed");
    }
    CampaignFixture plain;
    QCOMPARE(plain.start(specBehind({})).status, RunStatus::Done);
    CampaignFixture fixture;
    const CampaignOutcome outcome = fixture.start(specBehind(words));
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    QCOMPARE(outcome.status, RunStatus::Done);
    QCOMPARE(fixture.samples(), plain.samples());
}

void LaunchersTest::theRealWorkerRunsBehindATerminal() {
    if (QStandardPaths::findExecutable(QStringLiteral("script")).isEmpty()) {
        QSKIP("`script` (Debian: bsdutils) is not installed");
    }
    qputenv("QUANTSCOPE_WORKER", QUANTSCOPE_BIN_DIR "/quantscope-worker");
    storage::CampaignSpec spec = specBehind({launcher("terminal")});
    spec.limit = 2;
    spec.sampling.maxNewTokens = 8;
    spec.latency.enabled = false;
    spec.schemes = {QStringLiteral("int8")};
    CampaignFixture fixture;
    // A request beyond the 4,095 bytes that a terminal's line may have: the worker asks it not to cut.
    spec.problems = QString(QStringLiteral("/../") + QString(QStringLiteral("proc/../")).repeated(450) +
                            QStringLiteral("nothing.jsonl"));
    const CampaignOutcome refused = fixture.start(spec);
    QVERIFY2(messageOf(refused).contains(QStringLiteral("nothing.jsonl")), qPrintable(messageOf(refused)));
    spec.problems = QStringLiteral("demo");
    const CampaignOutcome outcome = fixture.start(spec);
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    QCOMPARE(outcome.status, RunStatus::Done);
}

void LaunchersTest::whatIsAwaitedIsToldAndTheLimitNamesTheLastLines() {
    CampaignFixture fixture;
    fixture.controller->setPatience(impatient());
    QStringList told;
    connect(fixture.controller.get(), &CampaignController::awaiting, this,
            [&](const QString& sentence) { told << sentence; });
    QElapsedTimer clock;
    clock.start();
    const CampaignOutcome outcome = fixture.start(specBehind({launcher("never-answers")}));
    QVERIFY(clock.elapsed() < 20'000);
    QCOMPARE(outcome.campaignId, 0);
    const QString words =
        QStringLiteral("Last on its stderr: \"srun: job 7 queued and waiting for resources\". "
                       "Last on its stdout: \"Password:\".");
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("did not say hello within 0.7 s")),
             qPrintable(messageOf(outcome)));
    QVERIFY2(messageOf(outcome).contains(words), qPrintable(messageOf(outcome)));
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("never-answers true` in a terminal")),
             qPrintable(messageOf(outcome)));
    QVERIFY(told.size() >= 2);
    QVERIFY2(std::any_of(told.begin(), told.end(), [&](const QString& one) { return one.contains(words); }),
             qPrintable(told.join(QLatin1Char('\n'))));
    QVERIFY(told.last().isEmpty()); // the waiting is over
}

void LaunchersTest::waitingCanBeStopped() {
    CampaignFixture fixture;
    WorkerPatience patience = impatient();
    patience.remoteHelloMs = 0; // as the window: as long as the user likes
    fixture.controller->setPatience(patience);
    connect(fixture.controller.get(), &CampaignController::awaiting, this, [&](const QString& sentence) {
        if (!sentence.isEmpty()) {
            fixture.controller->cancel();
        }
    });
    const CampaignOutcome outcome = fixture.start(specBehind({launcher("never-answers")}));
    QCOMPARE(outcome.status, RunStatus::Cancelled);
    QVERIFY(outcome.error && outcome.error->code == ErrorCode::cancelled);
}

void LaunchersTest::aLauncherThatFailsIsNamedWithItsLastWords_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<QString>("worker");
    QTest::addColumn<QStringList>("says");
    const QString fake = QStringLiteral(QUANTSCOPE_FAKE_WORKER);
    QTest::newRow("no key") << QStringList{launcher("denied")} << fake
                            << QStringList{QStringLiteral("exit code 255"),
                                           QStringLiteral("Permission denied (publickey)."),
                                           QStringLiteral("denied true` in a terminal")};
    QTest::newRow("no worker there") << QStringList{QStringLiteral("env")} << QStringLiteral("no-such-worker")
                                     << QStringList{
                                            QStringLiteral("exit code 127"),
                                            QStringLiteral("no-such-worker must be on the PATH there"),
                                            QStringLiteral("QUANTSCOPE_WORKER")};
    QTest::newRow("not executable") << QStringList{QStringLiteral("env")} << QStringLiteral("/etc/passwd")
                                    << QStringList{QStringLiteral("exit code 126"),
                                                   QStringLiteral("/etc/passwd must be on the PATH there")};
    QTest::newRow("no launcher here") << QStringList{QStringLiteral("/nonexistent/ssh")} << fake
                                      << QStringList{QStringLiteral("/nonexistent/ssh"),
                                                     QStringLiteral("must be a program on this machine")};
    QTest::newRow("something else") << QStringList{QStringLiteral("echo")} << fake
                                    << QStringList{QStringLiteral("ended before it said hello"),
                                                   QStringLiteral("Last on its stdout: \"")};
    QTest::newRow("endless") << QStringList{launcher("chatters")} << fake
                             << QStringList{QStringLiteral("said no hello within its first 64 KiB"),
                                            QStringLiteral("\"welcome to the cluster\"")};
}

void LaunchersTest::aLauncherThatFailsIsNamedWithItsLastWords() {
    QFETCH(QStringList, words);
    QFETCH(QString, worker);
    QFETCH(QStringList, says);
    qputenv("QUANTSCOPE_WORKER", worker.toUtf8());
    CampaignFixture fixture;
    const CampaignOutcome outcome = fixture.start(specBehind(words));
    QCOMPARE(outcome.campaignId, 0);
    QCOMPARE(outcome.status, RunStatus::Failed);
    for (const QString& part : says) {
        QVERIFY2(messageOf(outcome).contains(part), qPrintable(messageOf(outcome)));
    }
    QVERIFY2(!messageOf(outcome).contains(QLatin1Char('\r')), qPrintable(messageOf(outcome)));
}

Ended LaunchersTest::run(const QStringList& more, int interruptAfterMs) const {
    QProcess process;
    process.start(QStringLiteral(QUANTSCOPE_BIN_DIR "/quantscope"),
                  QStringList{QStringLiteral("run"), QStringLiteral("--model"), QStringLiteral("demo"),
                              QStringLiteral("--problems"), QStringLiteral("demo"),
                              QStringLiteral("--schemes"), QStringLiteral("fp16"), QStringLiteral("--db"),
                              folder_.filePath(QStringLiteral("cli.db")), QStringLiteral("--launcher"),
                              launcher("never-answers")} +
                      more);
    if (interruptAfterMs > 0 && process.waitForStarted()) {
        QTest::qWait(interruptAfterMs);
        ::kill(static_cast<pid_t>(process.processId()), SIGINT);
    }
    process.waitForFinished(30'000);
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

void LaunchersTest::theCommandLineTellsWhatIsAwaited() {
    const Ended ended = run({}, 6'000);
    QCOMPARE(ended.exitCode, 4);
    QVERIFY2(ended.err.contains("never-answers\" has not said hello after 5 s."), ended.err.constData());
    QVERIFY2(ended.err.contains("\"srun: job 7 queued and waiting for resources\""), ended.err.constData());
    QVERIFY2(ended.err.contains("Ctrl+C stops"), ended.err.constData());
}

void LaunchersTest::theCommandLineGivesUpAfterItsLimit() {
    const Ended ended =
        run({QStringLiteral("--hello-timeout"), QStringLiteral("1"), QStringLiteral("--json")});
    QCOMPARE(ended.exitCode, 1);
    QVERIFY2(ended.err.contains("did not say hello within 1 s"), ended.err.constData());
    QVERIFY2(ended.out.contains("Password:"), ended.out.constData());
}

QTEST_GUILESS_MAIN(LaunchersTest)
#include "tst_launchers.moc"
