// SPDX-License-Identifier: Apache-2.0
#include "storage/words.h"
#include "tests/storage/fixture.h"

#include <QRegularExpression>

using namespace quantscope::storage;
using namespace quantscope::storage::test;

class CampaignsTest : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void init();
    void cleanup();
    void storesACampaignWithItsRuns();
    void storesNothingOfABadSpec();
    void listsTheNewestFirst();
    void keepsStatuses();
    void keepsWhereItWasMeasured();
    void marksWhatWasInterrupted();
    void renamesAndDeletes();
    void namesAMissingCampaign();
    void aDamagedSpecIsNamed();
    void keepsProblemSets();

  private:
    std::unique_ptr<QTemporaryDir> dir_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Repositories> stored_;
};

void CampaignsTest::init() {
    QTest::failOnWarning(QRegularExpression(QStringLiteral(".?")));
    dir_ = std::make_unique<QTemporaryDir>();
    GET(database, Database::open(dir_->filePath(QStringLiteral("q.db"))));
    database_ = std::move(database);
    stored_ = std::make_unique<Repositories>(*database_);
}

void CampaignsTest::cleanup() {
    stored_.reset();
    database_.reset();
}

void CampaignsTest::storesACampaignWithItsRuns() {
    const QDateTime before = QDateTime::currentDateTimeUtc();
    GET(created,
        stored_->campaigns.create(exampleSpec(), {{QStringLiteral("int8"), QStringLiteral("INT8 (W8A8)")}}));
    GET(campaign, stored_->campaigns.load(created.id));
    QCOMPARE(campaign.spec.name, QStringLiteral("Example"));
    QCOMPARE(campaign.spec.schemes, exampleSpec().schemes);
    QCOMPARE(campaign.status, RunStatus::Planned);
    QCOMPARE(campaign.createdAt.timeSpec(), Qt::UTC);
    QVERIFY(campaign.createdAt >= before.addMSecs(-1) &&
            campaign.createdAt <= QDateTime::currentDateTimeUtc());

    GET(runs, stored_->runs.list(created.id));
    QStringList cells;
    for (const Run& run : runs) {
        QCOMPARE(run.campaignId, created.id);
        QCOMPARE(run.evalStatus, RunStatus::Planned);
        QCOMPARE(run.latencyStatus, RunStatus::Planned);
        cells << QStringLiteral("%1/%2/%3").arg(run.schemeId, run.schemeLabel).arg(run.batchSize);
    }
    QCOMPARE(cells, QStringList({"fp16/fp16/1", "fp16/fp16/8", "int8/INT8 (W8A8)/1", "int8/INT8 (W8A8)/8"}));
}

void CampaignsTest::storesNothingOfABadSpec() {
    CampaignSpec twice = exampleSpec();
    twice.schemes << QStringLiteral("fp16");
    FAILS(ErrorKind::BadInput, stored_->campaigns.create(twice), QStringLiteral("fp16 twice"));
    CampaignSpec zero = exampleSpec();
    zero.batchSizes << 0;
    FAILS(ErrorKind::BadInput, stored_->campaigns.create(zero), QStringLiteral("batch_sizes"),
          QStringLiteral("found 0"));
    GET(list, stored_->campaigns.list());
    QVERIFY(list.isEmpty());
}

void CampaignsTest::listsTheNewestFirst() {
    QList<Id> ids;
    for (int i = 0; i < 3; ++i) {
        GET(campaign, stored_->campaigns.create(exampleSpec()));
        ids.prepend(campaign.id);
    }
    GET(list, stored_->campaigns.list());
    QList<Id> listed;
    for (const Campaign& campaign : list)
        listed << campaign.id;
    QCOMPARE(listed, ids);
}

void CampaignsTest::keepsStatuses() {
    GET(campaign, stored_->campaigns.create(exampleSpec()));
    for (const auto status : {RunStatus::Running, RunStatus::Done, RunStatus::Partial, RunStatus::Failed,
                              RunStatus::Cancelled, RunStatus::Planned}) {
        QCOMPARE(statusFromWord(word(status)), status);
        OK(stored_->campaigns.setStatus(campaign.id, status));
        QCOMPARE(stored_->campaigns.load(campaign.id)->status, status);
    }
    const Id runId = stored_->runs.list(campaign.id)->first().id;
    OK(stored_->runs.setEvalStatus(runId, RunStatus::Failed, QStringLiteral("Out of memory.")));
    GET(failed, stored_->runs.load(runId));
    QCOMPARE(failed.evalStatus, RunStatus::Failed);
    QCOMPARE(failed.latencyStatus, RunStatus::Planned);
    QCOMPARE(failed.error, QStringLiteral("Out of memory."));
    OK(stored_->runs.setLatencyStatus(runId, RunStatus::Done));
    QCOMPARE(stored_->runs.load(runId)->error, QStringLiteral("Out of memory.")); // eval still failed
    OK(stored_->runs.setEvalStatus(runId, RunStatus::Done));
    QCOMPARE(stored_->runs.load(runId)->error, QString());
}

void CampaignsTest::keepsWhereItWasMeasured() {
    GET(campaign, stored_->campaigns.create(exampleSpec()));
    campaign.quantscopeVersion = QStringLiteral("0.1.0");
    campaign.workerVersion = QStringLiteral("0.1.1");
    campaign.protocolId = QStringLiteral("humaneval-raw-1");
    campaign.modelHash = QStringLiteral("abc");
    campaign.problemsHash = QStringLiteral("def");
    campaign.deviceName = QStringLiteral("NVIDIA H100");
    campaign.hostDetail = QStringLiteral("Debian 12");
    OK(stored_->campaigns.setProvenance(campaign));
    GET(other, stored_->campaigns.create(exampleSpec()));
    Campaign same = campaign;
    same.id = other.id;
    OK(stored_->campaigns.setProvenance(same));
    GET(loaded, stored_->campaigns.load(other.id));
    QCOMPARE(loaded.quantscopeVersion, QStringLiteral("0.1.0"));
    QCOMPARE(loaded.workerVersion, QStringLiteral("0.1.1"));
    QCOMPARE(loaded.protocolId, QStringLiteral("humaneval-raw-1"));
    QCOMPARE(loaded.modelHash, QStringLiteral("abc"));
    QCOMPARE(loaded.problemsHash, QStringLiteral("def"));
    QCOMPARE(loaded.deviceName, QStringLiteral("NVIDIA H100"));
    QCOMPARE(loaded.hostDetail, QStringLiteral("Debian 12"));
    for (const char* table : {"environment", "model"}) {
        GET(rows, database_->scalar(QStringLiteral("SELECT count(*) FROM ") + QLatin1String(table), {}, {}));
        QCOMPARE(rows.toInt(), 1); // shared
    }
}

void CampaignsTest::marksWhatWasInterrupted() {
    GET(campaign, stored_->campaigns.create(exampleSpec()));
    GET(other, stored_->campaigns.create(exampleSpec()));
    GET(runs, stored_->runs.list(campaign.id));
    for (const Id id : {campaign.id, other.id})
        OK(stored_->campaigns.setStatus(id, RunStatus::Running));
    OK(stored_->runs.setEvalStatus(runs[0].id, RunStatus::Done));
    OK(stored_->runs.setEvalStatus(runs[1].id, RunStatus::Running));
    OK(stored_->runs.setLatencyStatus(runs[0].id, RunStatus::Running));
    OK(stored_->campaigns.markInterrupted(campaign.id));
    QCOMPARE(stored_->campaigns.load(campaign.id)->status, RunStatus::Partial);
    QCOMPARE(stored_->campaigns.load(other.id)->status, RunStatus::Running);
    GET(marked, stored_->runs.list(campaign.id));
    QCOMPARE(marked[0].evalStatus, RunStatus::Done);
    QCOMPARE(marked[0].latencyStatus, RunStatus::Partial);
    QCOMPARE(marked[1].evalStatus, RunStatus::Partial);
    QCOMPARE(marked[2].evalStatus, RunStatus::Planned);
}

void CampaignsTest::renamesAndDeletes() {
    GET(campaign, stored_->campaigns.create(exampleSpec()));
    GET(kept, stored_->campaigns.create(exampleSpec()));
    OK(stored_->campaigns.rename(campaign.id, QStringLiteral("Größe ≤ 4")));
    QCOMPARE(stored_->campaigns.load(campaign.id)->spec.name, QStringLiteral("Größe ≤ 4"));
    for (const Id id : {campaign.id, kept.id}) {
        const Id runId = stored_->runs.list(id)->first().id;
        OK(stored_->samples.insert(exampleSample(runId, 1)));
        OK(stored_->latencies.insert({{runId, 0, 0, 1, 2, 1.0, 2.0, {1.0}}}));
        OK(stored_->metrics.set(runId, {{QStringLiteral("kv_cache_bytes"), 1.0}}));
        OK(stored_->metrics.addTelemetry(
            {id, runId, QDateTime::currentDateTimeUtc(), {{QStringLiteral("power_w"), 300.0}}}));
    }
    OK(stored_->campaigns.remove(campaign.id));
    FAILS(ErrorKind::NotFound, stored_->campaigns.load(campaign.id));
    const std::pair<const char*, int> left[] = {{"campaign", 1}, {"run", 4},    {"sample", 1},
                                                {"latency", 1},  {"metric", 1}, {"telemetry", 1}};
    for (const auto& [table, count] : left) {
        GET(rows, database_->scalar(QStringLiteral("SELECT count(*) FROM ") + QLatin1String(table), {}, {}));
        QVERIFY2(rows.toInt() == count, table);
    }
    GET(next, stored_->campaigns.create(exampleSpec()));
    QVERIFY2(next.id > kept.id, "an id must not be used twice: reports and exports name it");
}

void CampaignsTest::namesAMissingCampaign() {
    const QString sentence = QStringLiteral("no campaign 77");
    FAILS(ErrorKind::NotFound, stored_->campaigns.load(77), database_->path(), sentence);
    FAILS(ErrorKind::NotFound, stored_->campaigns.setStatus(77, RunStatus::Done), sentence);
    FAILS(ErrorKind::NotFound, stored_->campaigns.rename(77, QStringLiteral("x")), sentence);
    FAILS(ErrorKind::NotFound, stored_->campaigns.remove(77), sentence);
    FAILS(ErrorKind::NotFound, stored_->runs.load(77), QStringLiteral("no run 77"));
    FAILS(ErrorKind::NotFound, stored_->runs.setEvalStatus(77, RunStatus::Done), QStringLiteral("no run 77"));
    FAILS(ErrorKind::BadInput, stored_->samples.insert(exampleSample(77, 1)), QStringLiteral("run 77"));
}

void CampaignsTest::aDamagedSpecIsNamed() {
    GET(campaign, stored_->campaigns.create(exampleSpec()));
    OK(database_->execute(QStringLiteral("UPDATE campaign SET spec = '{\"limit\": \"many\"}'"), {}, {}));
    FAILS(ErrorKind::Corrupt, stored_->campaigns.load(campaign.id),
          QStringLiteral("Campaign %1").arg(campaign.id), database_->path(),
          QStringLiteral("'limit': expected an integer, found \"many\""));
}

void CampaignsTest::keepsProblemSets() {
    const QString hash = QStringLiteral("h1");
    const QList<Problem> first{
        {0, QStringLiteral("HumanEval/0"), QStringLiteral("def a():\n"), QStringLiteral("a"), 0},
        {0, QStringLiteral("HumanEval/1"), QStringLiteral("def b():\n"), QStringLiteral("b"), 1}};
    OK(stored_->problems.store(hash, {first[1]}));
    OK(stored_->problems.store(hash, first)); // the next batch overlaps
    GET(list, stored_->problems.list(hash));
    QCOMPARE(list.size(), 2);
    QCOMPARE(list[0].taskId, QStringLiteral("HumanEval/0"));
    QCOMPARE(list[1].prompt, QStringLiteral("def b():\n"));
    QCOMPARE(list[1].entryPoint, QStringLiteral("b"));
    Problem changed = first[1];
    changed.prompt += QLatin1Char(' ');
    const Problem third{0, QStringLiteral("HumanEval/2"), {}, {}, 2};
    FAILS(ErrorKind::Conflict, stored_->problems.store(hash, {third, changed}), QStringLiteral("HumanEval/1"),
          hash);
    QCOMPARE(*stored_->problems.count(hash), 2); // all or nothing
    QCOMPARE(*stored_->problems.count(QStringLiteral("h2")), 0);
    OK(stored_->problems.store(QStringLiteral("h2"), {changed}));
}

QTEST_GUILESS_MAIN(CampaignsTest)
#include "tst_campaigns.moc"
