// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/campaign_fixture.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include <functional>

using namespace quantscope;
using namespace quantscope::campaign;
using storage::RunStatus;

namespace {

using Events = QList<QJsonObject>;

const QString stream = QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl");

QString nameOf(const QJsonObject& event) {
    return event.value(QStringLiteral("event")).toString();
}

/// The position of the first event of that name.
qsizetype first(const Events& events, const char* name) {
    const auto it = std::find_if(events.begin(), events.end(), [&](const QJsonObject& event) {
        return nameOf(event) == QLatin1String(name);
    });
    return it - events.begin();
}

/// Lets the fake worker replay the recorded stream as `change` leaves it, numbered anew.
void replay(const QTemporaryDir& folder, const std::function<void(Events&)>& change,
            const char* fault = "none") {
    Events events;
    QFile in(stream);
    QVERIFY(in.open(QIODevice::ReadOnly));
    while (!in.atEnd()) {
        events << QJsonDocument::fromJson(in.readLine()).object();
    }
    change(events);
    QFile out(folder.filePath(QStringLiteral("changed.jsonl")));
    QVERIFY(out.open(QIODevice::WriteOnly));
    int seq = 0;
    for (QJsonObject& event : events) {
        event.insert(QStringLiteral("seq"), ++seq);
        out.write(QJsonDocument(event).toJson(QJsonDocument::Compact) + '\n');
    }
    qputenv("QUANTSCOPE_WORKER", QUANTSCOPE_FAKE_WORKER);
    qputenv("QUANTSCOPE_FAKE_STREAM", out.fileName().toUtf8());
    qputenv("QUANTSCOPE_FAKE_FAULT", fault);
}

storage::CampaignSpec twoRounds() {
    storage::CampaignSpec spec = demoSpec();
    spec.latency.requests = 2;
    return spec;
}

QString messageOf(const CampaignOutcome& outcome) {
    return outcome.error ? QString::fromStdString(outcome.error->message) : QString();
}

} // namespace

/// Workers that speak the protocol and say strange things: nothing is stored that was not asked for, nothing
/// is called done that is not, and no word of theirs reaches a terminal as it is.
class StrangeWorkersTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void aSampleThatWasNotAskedForEndsTheCampaign_data();
    void aSampleThatWasNotAskedForEndsTheCampaign();
    void moreRoundsThanAskedForEndTheCampaign();
    void doneWithoutAllSamplesIsPartialAndCanBeResumed();
    void allPartsOfALongRoundAreStored();
    void loadedTwiceMakesOneCampaign();
    void helloTwiceIsASecondWorker();
    void itsWordsAreCleaned();
    void endlessNoticesAreLimited();
    void endlessListsAreLimited();
};

void StrangeWorkersTest::aSampleThatWasNotAskedForEndsTheCampaign_data() {
    QTest::addColumn<QString>("key");
    QTest::addColumn<QJsonValue>("value");
    QTest::newRow("another index") << QStringLiteral("sample_index") << QJsonValue(1);
    QTest::newRow("another task") << QStringLiteral("task_id") << QJsonValue(QStringLiteral("Other/1"));
}

void StrangeWorkersTest::aSampleThatWasNotAskedForEndsTheCampaign() {
    QFETCH(QString, key);
    QFETCH(QJsonValue, value);
    CampaignFixture fixture;
    replay(fixture.folder, [&](Events& events) { events[first(events, "sample")].insert(key, value); });
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("which was not asked for")),
             qPrintable(messageOf(outcome)));
    QVERIFY(outcome.status != RunStatus::Done);
    QVERIFY(fixture.samples().filter(QStringLiteral("Other/1")).isEmpty());
}

void StrangeWorkersTest::moreRoundsThanAskedForEndTheCampaign() {
    CampaignFixture fixture;
    replay(
        fixture.folder,
        [](Events& events) {
            events[first(events, "latency")].insert(QStringLiteral("round"), std::numeric_limits<int>::max());
        },
        "more-rounds");
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QVERIFY2(
        messageOf(outcome).contains(QStringLiteral("sent latency round 2147483648, but 2 were asked for")),
        qPrintable(messageOf(outcome)));
}

void StrangeWorkersTest::doneWithoutAllSamplesIsPartialAndCanBeResumed() {
    CampaignFixture fixture;
    replay(fixture.folder, [](Events& events) { events.removeAt(first(events, "sample")); });
    CampaignOutcome outcome = fixture.start(twoRounds());
    QCOMPARE(outcome.status, RunStatus::Partial);
    const QList<storage::Run> runs = fixture.runs(outcome.campaignId);
    QVERIFY(std::any_of(runs.begin(), runs.end(), [](const storage::Run& run) {
        return run.evalStatus == RunStatus::Partial &&
               run.error.contains(QStringLiteral("said that it was done, but"));
    }));
    replay(fixture.folder, [](Events&) {});
    outcome = fixture.resume(outcome.campaignId);
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    QCOMPARE(outcome.status, RunStatus::Done);
}

void StrangeWorkersTest::allPartsOfALongRoundAreStored() {
    CampaignFixture fixture;
    replay(fixture.folder, [](Events& events) {
        for (qsizetype i = 0; i < events.size(); ++i) {
            if (nameOf(events[i]) != QLatin1String("latency")) {
                continue;
            }
            QJsonObject more = events[i];
            QJsonArray requests = more.value(QStringLiteral("requests")).toArray();
            const qsizetype count = requests.size();
            for (auto request = requests.begin(); request != requests.end(); ++request) {
                QJsonObject times = request->toObject();
                times.insert(QStringLiteral("request"),
                             times.value(QStringLiteral("request")).toInt() + int(count));
                *request = times;
            }
            more.insert(QStringLiteral("requests"), requests);
            events.insert(++i, more);
            events.insert(++i, more); // and once more, which counts once
        }
    });
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    const auto reader = storage::Reader::open(fixture.database());
    for (const storage::Run& run : fixture.runs(outcome.campaignId)) {
        QCOMPARE((*reader)->repositories.latencies.list(run.id)->size(), 2 * 2 * run.batchSize);
    }
}

void StrangeWorkersTest::loadedTwiceMakesOneCampaign() {
    CampaignFixture fixture;
    replay(fixture.folder, [](Events& events) {
        const qsizetype at = first(events, "loaded");
        events.insert(at, events[at]);
        events.insert(at, events[at]);
    });
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    const auto reader = storage::Reader::open(fixture.database());
    QCOMPARE((*reader)->repositories.campaigns.list()->size(), 1);
}

void StrangeWorkersTest::helloTwiceIsASecondWorker() {
    CampaignFixture fixture;
    QFile in(stream);
    QVERIFY(in.open(QIODevice::ReadOnly));
    const QString copy = fixture.folder.filePath(QStringLiteral("hello"));
    QFile out(copy);
    QVERIFY(out.open(QIODevice::WriteOnly));
    const QByteArray hello = in.readLine();
    out.write("#!/bin/sh\ncat <<'TXT'\n" + hello + hello + "TXT\nexec sleep 60\n");
    out.setPermissions(QFile::ReadOwner | QFile::ExeOwner);
    out.close();
    qputenv("QUANTSCOPE_WORKER", copy.toUtf8());
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QVERIFY2(messageOf(outcome).contains(QStringLiteral("A second worker said hello")),
             qPrintable(messageOf(outcome)));
}

void StrangeWorkersTest::itsWordsAreCleaned() {
    CampaignFixture fixture;
    const QString nasty = QStringLiteral("\x1b]0;owned\a\x1b[2Jred\u202Ehidden\n\x08second");
    QStringList phases;
    connect(fixture.controller.get(), &CampaignController::progressed, this,
            [&](const storage::Progress& progress) { phases << progress.phase; });
    storage::HostInfo host;
    connect(fixture.controller.get(), &CampaignController::hostKnown, this,
            [&](const storage::HostInfo& known) { host = known; });
    replay(fixture.folder, [&](Events& events) {
        for (QJsonObject& event : events) {
            for (const char* key : {"text", "detail"}) {
                if (event.contains(QLatin1String(key))) {
                    event.insert(QLatin1String(key), nasty);
                }
            }
            if (nameOf(event) == QLatin1String("hello")) {
                QJsonArray devices = event.value(QStringLiteral("devices")).toArray();
                QJsonObject device = devices[0].toObject();
                device.insert(QStringLiteral("name"), nasty);
                devices[0] = device;
                event.insert(QStringLiteral("devices"), devices);
            }
        }
    });
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    const QString clean = QStringLiteral("redhidden second");
    QVERIFY(phases.contains(clean));
    for (const QString& phase : std::as_const(phases)) {
        QVERIFY2(!phase.contains(QLatin1Char('\x1b')), qPrintable(phase));
    }
    QCOMPARE(host.devices.first().name, clean);
    const auto reader = storage::Reader::open(fixture.database());
    const auto samples = (*reader)->repositories.samples.list(fixture.runs(outcome.campaignId).first().id);
    QVERIFY(!samples->isEmpty());
    QCOMPARE(samples->first().detail, clean);
}

void StrangeWorkersTest::endlessNoticesAreLimited() {
    CampaignFixture fixture;
    replay(fixture.folder, [](Events& events) {
        QJsonObject error{{QStringLiteral("event"), QStringLiteral("error")},
                          {QStringLiteral("code"), QStringLiteral("oom")},
                          {QStringLiteral("message"), QStringLiteral("too small")},
                          {QStringLiteral("scheme"), QStringLiteral("int8")}};
        const qsizetype at = first(events, "loaded");
        for (int i = 0; i < 200; ++i) {
            error.insert(QStringLiteral("scheme"),
                         i % 2 == 0 ? QStringLiteral("int8") : QStringLiteral("x%1").arg(i));
            events.insert(at, error);
        }
    });
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QCOMPARE(outcome.status, RunStatus::Done); // the fake worker has the scheme all the same
    QCOMPARE(fixture.notices.size(), 50);
}

void StrangeWorkersTest::endlessListsAreLimited() {
    CampaignFixture fixture;
    storage::HostInfo host;
    connect(fixture.controller.get(), &CampaignController::hostKnown, this,
            [&](const storage::HostInfo& known) { host = known; });
    replay(fixture.folder, [](Events& events) {
        QJsonArray devices = events[0].value(QStringLiteral("devices")).toArray();
        QJsonArray schemes = events[0].value(QStringLiteral("schemes")).toArray();
        for (int i = 0; i < 2000; ++i) {
            devices << devices[0];
            schemes << schemes[0];
        }
        events[0].insert(QStringLiteral("devices"), devices);
        events[0].insert(QStringLiteral("schemes"), schemes);
        QJsonObject values;
        for (int i = 0; i < 5000; ++i) {
            values.insert(QStringLiteral("m%1").arg(i), i);
        }
        events[first(events, "metric")].insert(QStringLiteral("values"), values);
    });
    const CampaignOutcome outcome = fixture.start(twoRounds());
    QVERIFY2(!outcome.error, qPrintable(messageOf(outcome)));
    QCOMPARE(host.devices.size(), 64);
    QCOMPARE(host.schemes.size(), 64);
    const auto reader = storage::Reader::open(fixture.database());
    for (const storage::Run& run : fixture.runs(outcome.campaignId)) {
        QVERIFY((*reader)->repositories.metrics.values(run.id)->size() < 300);
    }
}

QTEST_GUILESS_MAIN(StrangeWorkersTest)
#include "tst_strange_workers.moc"
