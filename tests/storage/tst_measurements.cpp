// SPDX-License-Identifier: Apache-2.0
#include "storage/words.h"
#include "tests/storage/fixture.h"

#include <QRegularExpression>
#include <limits>

using namespace quantscope::storage;
using namespace quantscope::storage::test;

class MeasurementsTest : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void init();
    void cleanup();
    void keepsASample();
    void keepsAnyText_data();
    void keepsAnyText();
    void aSampleIsStoredOnce();
    void anotherContentIsAConflict();
    void refusesImpossibleNumbers();
    void knowsWhatIsStored();
    void scoresLater();
    void keepsLatencies();
    void aLatencyRoundIsAllOrNothing();
    void theFirstMeasurementStays();
    void gapsCanBeQueried();
    void metricsAreReplaced();
    void keepsTelemetry();

  private:
    std::unique_ptr<QTemporaryDir> dir_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Repositories> stored_;
    Id campaign_ = 0;
    Id run_ = 0;
    Id otherRun_ = 0;
};

void MeasurementsTest::init() {
    QTest::failOnWarning(QRegularExpression(QStringLiteral(".?")));
    dir_ = std::make_unique<QTemporaryDir>();
    GET(database, Database::open(dir_->filePath(QStringLiteral("q.db"))));
    database_ = std::move(database);
    stored_ = std::make_unique<Repositories>(*database_);
    GET(campaign, stored_->campaigns.create(exampleSpec()));
    campaign_ = campaign.id;
    GET(runs, stored_->runs.list(campaign_));
    run_ = runs[0].id;
    otherRun_ = runs[1].id;
}

void MeasurementsTest::cleanup() {
    stored_.reset();
    database_.reset();
}

void MeasurementsTest::keepsASample() {
    const Sample sample = exampleSample(run_, 7);
    GET(isNew, stored_->samples.insert(sample));
    QVERIFY(isNew);
    GET(list, stored_->samples.list(run_));
    QCOMPARE(list.size(), 1);
    const Sample& found = list.first();
    QCOMPARE(found.runId, sample.runId);
    QCOMPARE(found.taskId, sample.taskId);
    QCOMPARE(found.sampleIndex, sample.sampleIndex);
    QCOMPARE(found.completion, sample.completion);
    QCOMPARE(found.verdict, sample.verdict);
    QCOMPARE(found.detail, sample.detail);
    QCOMPARE(found.stopReason, sample.stopReason);
    QCOMPARE(found.promptTokens, sample.promptTokens);
    QCOMPARE(found.completionTokens, sample.completionTokens);
    QVERIFY(found.ttftMs == sample.ttftMs && found.totalMs == sample.totalMs); // exactly
}

void MeasurementsTest::keepsAnyText_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("expected");
    QTest::newRow("empty") << QString() << QString();
    QTest::newRow("NUL") << QString(QLatin1String("a\0b", 3)) << QString(QLatin1String("a\0b", 3));
    QTest::newRow("lines") << "a\r\nb\n\tc "
                           << "a\r\nb\n\tc ";
    QTest::newRow("beyond the BMP") << QString::fromUtf8("\xF0\x9F\x98\x80 é")
                                    << QString::fromUtf8("\xF0\x9F\x98\x80 é");
    QTest::newRow("half a surrogate pair") << QString(QChar(0xD83D)) << QStringLiteral("?");
    QTest::newRow("SQL") << "'); DROP TABLE sample; --"
                         << "'); DROP TABLE sample; --";
    QTest::newRow("1 MiB") << QString(1 << 20, QLatin1Char('x')) << QString(1 << 20, QLatin1Char('x'));
}

void MeasurementsTest::keepsAnyText() {
    QFETCH(QString, text);
    QFETCH(QString, expected);
    Sample sample = exampleSample(run_, 1);
    sample.completion = text;
    sample.detail = text;
    GET(isNew, stored_->samples.insert(sample));
    QVERIFY(isNew);
    GET(found, stored_->samples.load(run_, {sample.taskId, 0}));
    QCOMPARE(found.completion, expected);
    QCOMPARE(found.detail, expected);
    GET(again, stored_->samples.insert(sample));
    QVERIFY(!again);
}

void MeasurementsTest::aSampleIsStoredOnce() {
    Sample sample = exampleSample(run_, 1);
    QCOMPARE(*stored_->samples.insert(sample), true);
    sample.totalMs += 1; // the same, measured again
    QCOMPARE(*stored_->samples.insert(sample), false);
    sample.sampleIndex = 1;
    QCOMPARE(*stored_->samples.insert(sample), true);
    sample.runId = otherRun_;
    QCOMPARE(*stored_->samples.insert(sample), true);
    QCOMPARE(stored_->samples.list(run_)->size(), 2);
    QVERIFY(
        !rawSql(database_->path(),
                {QStringLiteral("INSERT INTO sample SELECT NULL, run_id, task_id, sample_index, completion, "
                                "verdict, detail, stop_reason, prompt_tokens, completion_tokens, ttft_ms, "
                                "total_ms, stored_at FROM sample")}));
}

void MeasurementsTest::anotherContentIsAConflict() {
    const Sample sample = exampleSample(run_, 1);
    OK(stored_->samples.insert(sample));
    Sample text = sample;
    text.completion += QLatin1Char('x');
    FAILS(ErrorKind::Conflict, stored_->samples.insert(text),
          QStringLiteral("HumanEval/1 #0 of run %1").arg(run_), QStringLiteral("another completion"));
    Sample verdict = sample;
    verdict.verdict = Verdict::Passed;
    FAILS(ErrorKind::Conflict, stored_->samples.insert(verdict), QStringLiteral("another verdict"));
    GET(found, stored_->samples.load(run_, {sample.taskId, 0}));
    QCOMPARE(found.completion, sample.completion);
    QCOMPARE(found.verdict, sample.verdict);
}

void MeasurementsTest::refusesImpossibleNumbers() {
    const double bad[] = {-1.0, std::numeric_limits<double>::quiet_NaN(),
                          std::numeric_limits<double>::infinity()};
    for (const double value : bad) {
        Sample sample = exampleSample(run_, 1);
        sample.ttftMs = value;
        FAILS(ErrorKind::BadInput, stored_->samples.insert(sample), QStringLiteral("HumanEval/1 #0"));
        FAILS(ErrorKind::BadInput, stored_->latencies.insert({{run_, 0, 3, 1, 2, 1.0, 2.0, {value}}}),
              QStringLiteral("Request 3 in latency round 0"));
    }
    FAILS(ErrorKind::BadInput, stored_->metrics.set(run_, {{QStringLiteral("x"), bad[1]}}),
          QStringLiteral("Metric x"));
    Sample sample = exampleSample(run_, 1);
    sample.sampleIndex = -1;
    FAILS(ErrorKind::BadInput, stored_->samples.insert(sample), QStringLiteral("index from 0"));
    sample = exampleSample(run_, 1);
    sample.taskId.clear();
    FAILS(ErrorKind::BadInput, stored_->samples.insert(sample), QStringLiteral("task id"));
}

void MeasurementsTest::knowsWhatIsStored() {
    const Verdict verdicts[] = {Verdict::Passed,   Verdict::Passed, Verdict::Failed,
                                Verdict::TimedOut, Verdict::Error,  Verdict::Unscored};
    int number = 0;
    for (const Verdict verdict : verdicts) {
        QCOMPARE(verdictFromWord(word(verdict)), verdict);
        Sample sample = exampleSample(run_, number);
        sample.sampleIndex = number++;
        sample.verdict = verdict;
        OK(stored_->samples.insert(sample));
    }
    GET(keys, stored_->samples.keys(run_));
    QCOMPARE(keys.size(), 6);
    QVERIFY(keys.contains({QStringLiteral("HumanEval/5"), 5}));
    GET(counts, stored_->samples.counts(campaign_));
    QCOMPARE(counts.keys(), QList<Id>{run_});
    QCOMPARE(counts[run_].stored, 6);
    QCOMPARE(counts[run_].scored, 5);
    QCOMPARE(counts[run_].passed, 2);
    QCOMPARE(counts[run_].timedOut, 1);
}

void MeasurementsTest::scoresLater() {
    Sample sample = exampleSample(run_, 1);
    sample.verdict = Verdict::Unscored;
    sample.detail = QStringLiteral("No sandbox.");
    OK(stored_->samples.insert(sample));
    OK(stored_->samples.setVerdict(run_, {sample.taskId, 0}, Verdict::Passed, {}));
    GET(found, stored_->samples.load(run_, {sample.taskId, 0}));
    QCOMPARE(found.verdict, Verdict::Passed);
    QCOMPARE(found.detail, QString());
    FAILS(ErrorKind::NotFound, stored_->samples.setVerdict(run_, {sample.taskId, 9}, Verdict::Passed, {}),
          QStringLiteral("#9"));
}

void MeasurementsTest::keepsLatencies() {
    const QList<double> gaps{0.1, 1.0 / 3.0, 1e-7, 123456.789012345678};
    GET(added, stored_->latencies.insert(
                   {{run_, 2, 1, 128, 5, 10.5, 55.25, gaps}, {run_, 2, 0, 128, 1, 10.0, 10.0, {}}}));
    QCOMPARE(added, 2);
    GET(list, stored_->latencies.list(run_));
    QCOMPARE(list.size(), 2);
    QCOMPARE(list[0].request, 0);
    QVERIFY(list[0].itlMs.isEmpty());
    QCOMPARE(list[1].round, 2);
    QCOMPARE(list[1].promptTokens, 128);
    QCOMPARE(list[1].outputTokens, 5);
    QVERIFY(list[1].ttftMs == 10.5 && list[1].e2eMs == 55.25);
    for (int i = 0; i < gaps.size(); ++i)
        QVERIFY(list[1].itlMs[i] == gaps[i]); // to the last bit
    QCOMPARE(*stored_->latencies.nextRound(run_), 3);
    QCOMPARE(*stored_->latencies.nextRound(otherRun_), 0);
}

void MeasurementsTest::aLatencyRoundIsAllOrNothing() {
    FAILS(ErrorKind::BadInput, stored_->latencies.insert({{run_, 0, 0, 1, 2, 1.0, 2.0, {1.0}},
                                                          {run_, 0, 1, 1, 2, -1.0, 2.0, {1.0}}}));
    QVERIFY(stored_->latencies.list(run_)->isEmpty());
}

void MeasurementsTest::theFirstMeasurementStays() {
    OK(stored_->latencies.insert({{run_, 0, 0, 1, 2, 1.0, 2.0, {1.0}}}));
    GET(added, stored_->latencies.insert(
                   {{run_, 0, 0, 1, 2, 7.0, 9.0, {2.0}}, {run_, 0, 1, 1, 2, 3.0, 5.0, {2.0}}}));
    QCOMPARE(added, 1);
    GET(list, stored_->latencies.list(run_));
    QCOMPARE(list.size(), 2);
    QCOMPARE(list[0].ttftMs, 1.0);
}

void MeasurementsTest::gapsCanBeQueried() {
    OK(stored_->latencies.insert(
        {{run_, 0, 0, 1, 3, 1.0, 2.0, {1.5, 2.5}}, {run_, 0, 1, 1, 2, 1.0, 2.0, {4.0}}}));
    GET(sum,
        database_->scalar(
            QStringLiteral("SELECT sum(gap.value) FROM latency, json_each(latency.itl_ms) AS gap"), {}, {}));
    QCOMPARE(sum.toDouble(), 8.0);
}

void MeasurementsTest::metricsAreReplaced() {
    OK(stored_->metrics.set(run_, {{QStringLiteral("a"), 1.0}, {QStringLiteral("b"), 13476831232.0}}));
    OK(stored_->metrics.set(Metric{run_, QStringLiteral("a"), 2.5}));
    GET(values, stored_->metrics.values(run_));
    QCOMPARE(values,
             (QMap<QString, double>{{QStringLiteral("a"), 2.5}, {QStringLiteral("b"), 13476831232.0}}));
    QVERIFY(stored_->metrics.values(otherRun_)->isEmpty());
}

void MeasurementsTest::keepsTelemetry() {
    const QDateTime start =
        QDateTime::fromString(QStringLiteral("2026-11-23T14:00:00.250+02:00"), Qt::ISODateWithMs);
    OK(stored_->metrics.addTelemetry(
        {campaign_, run_, start.addSecs(1), {{QStringLiteral("power_w"), 310.0}}}));
    OK(stored_->metrics.addTelemetry(
        {campaign_,
         0,
         start,
         {{QStringLiteral("power_w"), 300.0}, {QStringLiteral("temperature_c"), 55.0}}}));
    GET(list, stored_->metrics.telemetry(campaign_));
    QCOMPARE(list.size(), 2);
    QCOMPARE(timeText(list[0].measuredAt), QStringLiteral("2026-11-23T12:00:00.250Z"));
    QCOMPARE(list[0].runId, 0);
    QCOMPARE(list[0].values.size(), 2);
    QCOMPARE(list[1].runId, run_);
    QCOMPARE(list[1].values.value(QStringLiteral("power_w")), 310.0);
}

QTEST_GUILESS_MAIN(MeasurementsTest)
#include "tst_measurements.moc"
