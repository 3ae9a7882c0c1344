// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/campaign_fixture.h"

#include <QElapsedTimer>
#include <QFile>
#include <QTimer>

#include <csignal>

using namespace quantscope;
using namespace quantscope::campaign;
using storage::RunStatus;

namespace {

const QString stream = QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl");

void useFake(const char* fault = "none", int after = 0, int delayMs = 0, const QString& recording = stream) {
    qputenv("QUANTSCOPE_WORKER", QUANTSCOPE_FAKE_WORKER);
    qputenv("QUANTSCOPE_FAKE_STREAM", recording.toUtf8());
    qputenv("QUANTSCOPE_FAKE_FAULT", fault);
    qputenv("QUANTSCOPE_FAKE_AFTER", QByteArray::number(after));
    qputenv("QUANTSCOPE_FAKE_DELAY_MS", QByteArray::number(delayMs));
}

/// What the recording is of. It is made again whenever the demo model changes, so nothing about it is written
/// here.
struct Recorded {
    protocol::HelloEvent hello;
    protocol::LoadedEvent loaded;
    QString problemsHash;
    int problems = 0;
    int rounds = 0; ///< latency rounds of a run
};

Recorded recorded() {
    Recorded facts;
    QFile file(stream);
    if (!file.open(QIODevice::ReadOnly)) {
        return facts;
    }
    protocol::EventStream events;
    events.feed(file.readAll().toStdString());
    while (auto event = events.next()) {
        if (!*event) {
            break;
        }
        const protocol::EventBody& body = (*event)->body;
        if (const auto* hello = std::get_if<protocol::HelloEvent>(&body)) {
            facts.hello = *hello;
        } else if (const auto* loaded = std::get_if<protocol::LoadedEvent>(&body)) {
            facts.loaded = *loaded;
        } else if (const auto* problems = std::get_if<protocol::ProblemsEvent>(&body)) {
            facts.problemsHash = QString::fromStdString(problems->problems_hash);
            facts.problems = problems->count;
        } else if (const auto* latency = std::get_if<protocol::LatencyEvent>(&body)) {
            facts.rounds = std::max(facts.rounds, latency->round + 1);
        }
    }
    return facts;
}

/// fp16 and int8 at batch size 1 on the demo, with as many latency rounds as were recorded.
storage::CampaignSpec recordedSpec() {
    storage::CampaignSpec spec = demoSpec();
    spec.latency.requests = recorded().rounds;
    return spec;
}

QString messageOf(const CampaignOutcome& outcome) {
    return outcome.error ? QString::fromStdString(outcome.error->message + " " + outcome.error->hint)
                         : QString();
}

/// The recorded stream with `before` replaced, as a file of its own.
QString changedStream(const QTemporaryDir& folder, const QByteArray& before, const QByteArray& after) {
    QFile in(stream);
    if (!in.open(QIODevice::ReadOnly)) {
        return {};
    }
    const QString path = folder.filePath(QStringLiteral("changed.jsonl"));
    QFile out(path);
    if (!out.open(QIODevice::WriteOnly)) {
        return {};
    }
    out.write(in.readAll().replace(before, after));
    return path;
}

} // namespace

class CampaignControllerTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void everythingArrivesInTheDatabase();
    void whatTheDeviceReportsIsStoredAndShown();
    void aFaultIsASentenceAndAResumeMendsIt_data();
    void aFaultIsASentenceAndAResumeMendsIt();
    void aWorkerThatIsKilledOnceIsStartedAgain();
    void cancelKeepsWhatIsThereAndCanBeResumed();
    void aFloodWaitsInThePipe();
    void aDatabaseThatIsLockedMeanwhileEndsTheCampaign();
    void anotherProtocolVersionIsRefused();
    void aMissingWorkerIsNamed();
    void unknownSchemesAreRefusedBeforeAnythingIsStored();
    void anotherModelCannotBeResumed();
    void otherProblemsCannotBeResumed();
    void aCampaignIsRunByOneProcessAtATime();
    void anUnknownCampaignCannotBeResumed();
    void withoutASandboxSamplesAreStoredUnscored();
};

void CampaignControllerTest::everythingArrivesInTheDatabase() {
    useFake();
    CampaignFixture fixture;
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    QCOMPARE(outcome.status, RunStatus::Done);
    const Recorded facts = recorded();
    QVERIFY(facts.problems > 2 && facts.rounds > 1);
    QCOMPARE(outcome.samplesScored, 2 * facts.problems);
    QCOMPARE(fixture.samples().size(), 2 * facts.problems);
    QCOMPARE(fixture.progress.done, fixture.progress.total);
    QCOMPARE(fixture.progress.total, 2 * facts.rounds + 2 * facts.problems);

    const storage::Campaign campaign = fixture.campaign(outcome.campaignId);
    QCOMPARE(campaign.status, RunStatus::Done);
    QCOMPARE(campaign.modelHash, QString::fromStdString(facts.loaded.model_hash));
    QCOMPARE(campaign.problemsHash, facts.problemsHash);
    QCOMPARE(campaign.workerVersion, QString::fromStdString(facts.hello.version));
    QCOMPARE(campaign.deviceName, QString::fromStdString(facts.loaded.device.name));
    QVERIFY(!campaign.protocolId.isEmpty());

    const auto reader = storage::Reader::open(fixture.database());
    QCOMPARE(*(*reader)->repositories.problems.count(campaign.problemsHash), facts.problems);
    for (const storage::Run& run : fixture.runs(outcome.campaignId)) {
        QCOMPARE(run.evalStatus, RunStatus::Done);
        QCOMPARE(run.latencyStatus, RunStatus::Done);
        QVERIFY(!run.schemeLabel.isEmpty());
        QCOMPARE((*reader)->repositories.latencies.list(run.id)->size(), facts.rounds);
        const auto metrics = *(*reader)->repositories.metrics.values(run.id);
        QCOMPARE(metrics.value(QStringLiteral("weight_bits")),
                 run.schemeId == QLatin1String("fp16") ? 16.0 : 8.0);
        QVERIFY(metrics.contains(QStringLiteral("linear_weight_bytes")));
    }
}

void CampaignControllerTest::whatTheDeviceReportsIsStoredAndShown() {
    const QTemporaryDir folder; // the recording is of a CPU, which reports nothing: its metrics stand in
    useFake("none", 0, 0,
            changedStream(folder, QByteArrayLiteral("\"event\":\"metric\""),
                          QByteArrayLiteral("\"event\":\"telemetry\"")));
    CampaignFixture fixture;
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    const QString name = QStringLiteral("bytes_per_s");
    QVERIFY(fixture.progress.device.value(name) > 0.0);
    const auto reader = storage::Reader::open(fixture.database());
    const auto stored = *(*reader)->repositories.metrics.telemetry(outcome.campaignId);
    QVERIFY(!stored.isEmpty());
    QCOMPARE(stored.last().values.value(name),
             fixture.progress.device.value(name)); // those of one millisecond are one
}

void CampaignControllerTest::aFaultIsASentenceAndAResumeMendsIt_data() {
    QTest::addColumn<QByteArray>("fault");
    QTest::addColumn<int>("after");
    QTest::addColumn<QString>("says");
    QTest::addColumn<bool>("endsIt");
    // Late: the second worker has less to say than it takes to fail again. Early: it fails, too, and that is
    // the end.
    QTest::newRow("crash, late") << QByteArray("crash") << 35 << QStringLiteral("signal 6") << false;
    QTest::newRow("crash") << QByteArray("crash") << 20 << QStringLiteral("signal 6") << true;
    QTest::newRow("truncated") << QByteArray("truncate") << 20 << QStringLiteral("line") << true;
    QTest::newRow("garbage") << QByteArray("garbage") << 20 << QStringLiteral("JSON") << true;
    QTest::newRow("gap") << QByteArray("gap") << 20 << QStringLiteral("gap") << true;
    QTest::newRow("silence") << QByteArray("silence") << 20 << QStringLiteral("The worker was lost") << true;
}

void CampaignControllerTest::aFaultIsASentenceAndAResumeMendsIt() {
    QFETCH(QByteArray, fault);
    QFETCH(int, after);
    QFETCH(QString, says);
    QFETCH(bool, endsIt);
    useFake();
    CampaignFixture undisturbed;
    QCOMPARE(undisturbed.start(recordedSpec()).status, RunStatus::Done);

    useFake(fault.constData(), after);
    CampaignFixture fixture;
    WorkerPatience patience;
    patience.silenceMs = 300;
    fixture.controller->setPatience(patience);
    CampaignOutcome outcome = fixture.start(recordedSpec());
    QVERIFY(outcome.campaignId != 0);
    QCOMPARE(fixture.notices.size(), 1);
    QVERIFY2(fixture.notices.first().contains(says), qPrintable(fixture.notices.first()));
    QVERIFY(fixture.notices.first().contains(QStringLiteral("started again once")));
    QCOMPARE(outcome.error.has_value(), endsIt);
    if (endsIt) {
        QVERIFY2(messageOf(outcome).contains(says), qPrintable(messageOf(outcome)));
        QVERIFY(messageOf(outcome).contains(QStringLiteral("resume the campaign")));
        QCOMPARE(outcome.status, RunStatus::Partial);
        const QList<storage::Run> runs = fixture.runs(outcome.campaignId);
        QVERIFY(
            std::any_of(runs.begin(), runs.end(), [&](const auto& run) { return run.error.contains(says); }));
    }
    useFake();
    outcome = fixture.resume(outcome.campaignId);
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    QCOMPARE(outcome.status, RunStatus::Done);
    QCOMPARE(fixture.samples(), undisturbed.samples());
    for (const storage::Run& run : fixture.runs(outcome.campaignId)) {
        QVERIFY(run.error.isEmpty());
    }
}

void CampaignControllerTest::aWorkerThatIsKilledOnceIsStartedAgain() {
    useFake("none", 0, 5);
    CampaignFixture fixture;
    bool killed = false;
    connect(fixture.writer.get(), &storage::Writer::sampleStored, fixture.controller.get(), [&] {
        if (!killed) {
            killed = true;
            ::kill(static_cast<pid_t>(fixture.controller->workerProcessId()), SIGKILL);
        }
    });
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QVERIFY(killed);
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    QCOMPARE(outcome.status, RunStatus::Done);
    QCOMPARE(fixture.notices.size(), 1);
    QVERIFY2(fixture.notices.first().contains(QStringLiteral("signal 9")),
             qPrintable(fixture.notices.first()));
    QCOMPARE(fixture.samples().size(), 2 * recorded().problems);
}

void CampaignControllerTest::cancelKeepsWhatIsThereAndCanBeResumed() {
    useFake("none", 0, 5);
    CampaignFixture fixture;
    int stored = 0;
    connect(fixture.writer.get(), &storage::Writer::sampleStored, fixture.controller.get(), [&] {
        if (++stored == 2) {
            fixture.controller->cancel();
        }
    });
    CampaignOutcome outcome = fixture.start(recordedSpec());
    QCOMPARE(outcome.status, RunStatus::Cancelled);
    QVERIFY(outcome.error && outcome.error->code == ErrorCode::cancelled);
    const qsizetype kept = fixture.samples().size();
    QVERIFY(kept >= 2 && kept < 2 * recorded().problems);
    QCOMPARE(fixture.campaign(outcome.campaignId).status, RunStatus::Cancelled);
    QVERIFY(!fixture.controller->isRunning());

    outcome = fixture.resume(outcome.campaignId);
    QCOMPARE(outcome.status, RunStatus::Done);
    QCOMPARE(fixture.samples().size(), 2 * recorded().problems);
}

/// The reading stops while the storage queue is full: 200,000 events waited in memory before.
void CampaignControllerTest::aFloodWaitsInThePipe() {
    useFake("flood", 20);
    CampaignFixture fixture;
    int most = 0;
    int told = 0;
    bool cancelled = false;
    connect(fixture.controller.get(), &CampaignController::progressed, this, [&] {
        most = std::max(most, cancelled ? 0 : fixture.writer->pending());
        ++told;
    });
    QTimer::singleShot(1500, fixture.controller.get(), [&] {
        cancelled = true; // what an ended worker left in its pipe is taken without a pause
        fixture.controller->cancel();
        fixture.controller->cancel(); // at once: the worker waits for its pipe
    });
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QCOMPARE(outcome.status, RunStatus::Cancelled);
    QVERIFY2(told > storage::Writer::maxPending, qPrintable(QString::number(told))); // it was a flood
    // The event that fills the queue is the last one told.
    QVERIFY2(most <= storage::Writer::maxPending + 3, qPrintable(QString::number(most)));
}

/// One patience for all that waits to be stored, and the sentence.
void CampaignControllerTest::aDatabaseThatIsLockedMeanwhileEndsTheCampaign() {
    useFake("none", 0, 5);
    CampaignFixture fixture;
    std::unique_ptr<storage::Database> other;
    std::optional<storage::Transaction> lock;
    QElapsedTimer waited;
    connect(fixture.writer.get(), &storage::Writer::sampleStored, fixture.controller.get(), [&] {
        if (!lock) {
            auto opened = storage::Database::open(fixture.database());
            QVERIFY(opened);
            other = *std::move(opened);
            auto begun = storage::Transaction::begin(*other, QStringLiteral("holding it"));
            QVERIFY(begun);
            lock.emplace(*std::move(begun));
            waited.start();
        }
    });
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QVERIFY(lock.has_value());
    QVERIFY2(waited.elapsed() < 10'000, qPrintable(QString::number(waited.elapsed())));
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("stayed locked by another program")),
             qPrintable(messageOf(outcome)));
    lock.reset();
}

void CampaignControllerTest::anotherProtocolVersionIsRefused() {
    useFake("version");
    CampaignFixture fixture;
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QCOMPARE(outcome.campaignId, 0);
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("99")), qPrintable(messageOf(outcome)));
    QVERIFY(fixture.notices.isEmpty()); // not worth a second try
}

void CampaignControllerTest::aMissingWorkerIsNamed() {
    qputenv("QUANTSCOPE_WORKER", "/nonexistent/quantscope-worker");
    CampaignFixture fixture;
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QCOMPARE(outcome.campaignId, 0);
    QCOMPARE(outcome.status, RunStatus::Failed);
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("/nonexistent/quantscope-worker")),
             qPrintable(messageOf(outcome)));
}

void CampaignControllerTest::unknownSchemesAreRefusedBeforeAnythingIsStored() {
    useFake();
    CampaignFixture fixture;
    storage::CampaignSpec spec = recordedSpec();
    spec.schemes << QStringLiteral("int3");
    const CampaignOutcome outcome = fixture.start(spec);
    QCOMPARE(outcome.campaignId, 0);
    QVERIFY(outcome.error->code == ErrorCode::bad_input);
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("\"int3\"")), qPrintable(messageOf(outcome)));
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("w4a4-rot")), qPrintable(messageOf(outcome)));
    QVERIFY(fixture.samples().isEmpty());
}

void CampaignControllerTest::anotherModelCannotBeResumed() {
    useFake("crash", 20);
    CampaignFixture fixture;
    const CampaignOutcome first = fixture.start(recordedSpec());
    const QStringList before = fixture.samples();
    useFake("none", 0, 0,
            changedStream(fixture.folder, QByteArray::fromStdString(recorded().loaded.model_hash),
                          "ffffffffffffffff"));
    const CampaignOutcome outcome = fixture.resume(first.campaignId);
    QVERIFY(outcome.error);
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("The model differs")),
             qPrintable(messageOf(outcome)));
    QCOMPARE(fixture.samples(), before);
}

void CampaignControllerTest::otherProblemsCannotBeResumed() {
    useFake("crash", 20);
    CampaignFixture fixture;
    const CampaignOutcome first = fixture.start(recordedSpec());
    useFake("none", 0, 0,
            changedStream(fixture.folder, recorded().problemsHash.toUtf8(), "ffffffffffffffff"));
    const CampaignOutcome outcome = fixture.resume(first.campaignId);
    QVERIFY(outcome.error);
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("The problem set differs")),
             qPrintable(messageOf(outcome)));
}

void CampaignControllerTest::aCampaignIsRunByOneProcessAtATime() {
    useFake("crash", 20);
    CampaignFixture fixture;
    const CampaignOutcome first = fixture.start(recordedSpec());
    useFake();
    const auto lock = CampaignLock::take(fixture.database(), first.campaignId);
    QVERIFY(lock);
    const CampaignOutcome refused = fixture.resume(first.campaignId);
    QVERIFY2(messageOf(refused).contains(QStringLiteral("is being run by process")),
             qPrintable(messageOf(refused)));
}

void CampaignControllerTest::anUnknownCampaignCannotBeResumed() {
    useFake();
    CampaignFixture fixture;
    const CampaignOutcome outcome = fixture.resume(42);
    QVERIFY(outcome.error && outcome.error->code == ErrorCode::bad_input);
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("42")), qPrintable(messageOf(outcome)));
}

void CampaignControllerTest::withoutASandboxSamplesAreStoredUnscored() {
    CampaignFixture fixture;
    QFile in(stream);
    QVERIFY(in.open(QIODevice::ReadOnly));
    QByteArray bytes = in.readAll();
    bytes.replace("\"available\":true,\"message\":\"\",\"hint\":\"\"",
                  "\"available\":false,\"message\":\"\",\"hint\":\"Install bubblewrap.\"");
    bytes.replace("\"verdict\":\"passed\"", "\"verdict\":\"unscored\"")
        .replace("\"verdict\":\"failed\"", "\"verdict\":\"unscored\"");
    const QString path = fixture.folder.filePath(QStringLiteral("unscored.jsonl"));
    QFile out(path);
    QVERIFY(out.open(QIODevice::WriteOnly));
    out.write(bytes);
    out.close();
    useFake("none", 0, 0, path);
    const CampaignOutcome outcome = fixture.start(recordedSpec());
    QCOMPARE(outcome.status, RunStatus::Done);
    QCOMPARE(outcome.samplesScored, 0);
    QVERIFY(fixture.samples().size() > 0);
    QVERIFY(!fixture.notices.isEmpty());
    QVERIFY2(fixture.notices.first().startsWith(QStringLiteral("Completions are stored unscored:")),
             qPrintable(fixture.notices.first()));
}

QTEST_GUILESS_MAIN(CampaignControllerTest)
#include "tst_campaign_controller.moc"
