// SPDX-License-Identifier: Apache-2.0
#include "storage/csv.h"
#include "storage/export.h"
#include "storage/import.h"
#include "storage/sample_files.h"
#include "tests/storage/fixture.h"
#include "tests/support/file_size_limit.h"

#include <QJsonDocument>
#include <QRegularExpression>
#include <sys/stat.h>

using namespace quantscope::storage;
using namespace quantscope::storage::test;

class SampleFilesTest : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void init();
    void cleanup();
    void writesTheFilesOfTheOriginalTools();
    void whatIsExportedCanBeImported();
    void importsAForeignFile();
    void importsEachNameOnce();
    void importsWhatScoreReads();
    void setsABadLineAside_data();
    void setsABadLineAside();
    void refusesAFileWithoutSamples();
    void writesResultsAsCsv();
    void writesLatencies();
    void quotesCsv_data();
    void quotesCsv();
    void aFailedExportLeavesTheOldFile();

  private:
    [[nodiscard]] QString path(const char* name) const { return dir_->filePath(QLatin1String(name)); }
    std::unique_ptr<QTemporaryDir> dir_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Repositories> stored_;
    Id campaign_ = 0;
    Run run_;
};

/// One of each verdict, with texts that a careless writer would break.
static QList<Sample> allVerdicts(Id runId) {
    QList<Sample> samples;
    const std::pair<Verdict, const char*> verdicts[] = {
        {Verdict::Passed, ""},
        {Verdict::Failed, "AssertionError: \"1,2\"\nnext: line"},
        {Verdict::TimedOut, ""},
        {Verdict::Error, "The sandbox did not start."},
        {Verdict::Unscored, "No sandbox."}};
    for (const auto& [verdict, detail] : verdicts) {
        Sample sample = exampleSample(runId, int(samples.size()) / 2);
        sample.sampleIndex = int(samples.size()) % 2;
        sample.verdict = verdict;
        sample.detail = QLatin1String(detail);
        sample.completion = QString::fromUtf8("    return \"é\t\\n\"\n") + QString::number(samples.size());
        samples << sample;
    }
    return samples;
}

void SampleFilesTest::init() {
    QTest::failOnWarning(QRegularExpression(QStringLiteral(".?")));
    dir_ = std::make_unique<QTemporaryDir>();
    GET(database, Database::open(path("q.db")));
    database_ = std::move(database);
    stored_ = std::make_unique<Repositories>(*database_);
    GET(campaign, stored_->campaigns.create(exampleSpec()));
    campaign_ = campaign.id;
    GET(runs, stored_->runs.list(campaign_));
    run_ = runs[3]; // int8, batch size 8
    for (const Sample& sample : allVerdicts(run_.id))
        OK(stored_->samples.insert(sample));
}

void SampleFilesTest::cleanup() {
    stored_.reset();
    database_.reset();
}

static QList<QJsonObject> linesOf(const QString& path) {
    QList<QJsonObject> lines;
    for (const QByteArray& line : bytesOf(path).split('\n'))
        if (!line.isEmpty())
            lines << QJsonDocument::fromJson(line).object();
    return lines;
}

void SampleFilesTest::writesTheFilesOfTheOriginalTools() {
    GET(count, exportSamples(*stored_, run_.id, path("samples.jsonl")));
    QCOMPARE(count, 5);
    const auto samples = linesOf(path("samples.jsonl"));
    QCOMPARE(samples.size(), 5);
    QCOMPARE(samples[1].value("task_id").toString(), QStringLiteral("HumanEval/0"));
    QCOMPARE(samples[1].value("completion").toString(), allVerdicts(1)[1].completion);
    QCOMPARE(samples[1].value("scheme").toString(), QStringLiteral("int8"));
    QCOMPARE(samples[1].value("batch_size").toInt(), 8);
    QVERIFY(!samples[1].contains("passed"));

    OK(exportResults(*stored_, run_.id, path("samples.jsonl_results.jsonl")));
    const auto results = linesOf(path("samples.jsonl_results.jsonl"));
    QStringList texts;
    QList<QJsonValue> passed;
    for (const QJsonObject& line : results) {
        texts << line.value("result").toString();
        passed << line.value("passed");
    }
    QCOMPARE(texts, QStringList({"passed", "failed: AssertionError: \"1,2\"\nnext: line", "timed out",
                                 "error: The sandbox did not start.", "unscored: No sandbox."}));
    QCOMPARE(passed, QList<QJsonValue>({true, false, false, false, QJsonValue::Null}));
    FAILS(ErrorKind::NotFound, exportSamples(*stored_, 999, path("x")), QStringLiteral("no run 999"));
}

void SampleFilesTest::whatIsExportedCanBeImported() {
    OK(exportResults(*stored_, run_.id, path("results.jsonl")));
    GET(imported, importSampleFile(*database_, campaign_, path("results.jsonl")));
    QCOMPARE(imported.samples, 5);
    QCOMPARE(imported.scored, 4);
    QCOMPARE(imported.run.schemeId, QStringLiteral("imported:int8"));
    QCOMPARE(imported.run.batchSize, 8);
    GET(run, stored_->runs.load(imported.run.id));
    QCOMPARE(run.importedFrom, QStringLiteral("results.jsonl"));
    QVERIFY(run.schemeLabel.contains(QLatin1String("imported")));
    GET(samples, stored_->samples.list(run.id));
    const auto originals = allVerdicts(run.id);
    QCOMPARE(samples.size(), originals.size());
    for (int i = 0; i < samples.size(); ++i) {
        QCOMPARE(samples[i].taskId, originals[i].taskId);
        QCOMPARE(samples[i].sampleIndex, originals[i].sampleIndex);
        QCOMPARE(samples[i].completion, originals[i].completion);
        QCOMPARE(samples[i].verdict, originals[i].verdict);
        QCOMPARE(samples[i].detail, originals[i].detail);
        QCOMPARE(samples[i].promptTokens, originals[i].promptTokens);
        QVERIFY(samples[i].totalMs == originals[i].totalMs);
    }
}

void SampleFilesTest::importsAForeignFile() {
    QVERIFY(writeBytes(path("gpt.jsonl"),
                       "{\"task_id\": \"HumanEval/0\", \"completion\": \"a\"}\r\n"
                       "\n"
                       "{\"task_id\": \"HumanEval/1\", \"completion\": \"b\", \"passed\": true}\n"
                       "{\"task_id\": \"HumanEval/0\", \"completion\": \"c\", \"result\": \"failed: X\", "
                       "\"passed\": false}\n"
                       "{\"task_id\": \"HumanEval/2\", \"completion\": \"d\", \"result\": \"segfault\"}"));
    GET(imported,
        importSampleFile(*database_, campaign_, path("gpt.jsonl"), {QStringLiteral("GPT-4, 2023; \"x\"")}));
    QCOMPARE(imported.run.schemeId, QStringLiteral("imported:GPT-4, 2023; \"x\"")); // any id is text
    QCOMPARE(imported.run.batchSize, 1);
    QCOMPARE(imported.samples, 4);
    QCOMPARE(imported.scored, 3);
    GET(samples, stored_->samples.list(imported.run.id));
    QCOMPARE(samples[0].verdict, Verdict::Unscored);
    QCOMPARE(samples[1].verdict, Verdict::Passed);
    QCOMPARE(samples[2].sampleIndex, 1); // the second of HumanEval/0
    QCOMPARE(samples[2].detail, QStringLiteral("X"));
    QCOMPARE(samples[3].verdict, Verdict::Failed);
    QCOMPARE(samples[3].detail, QStringLiteral("segfault"));
}

void SampleFilesTest::importsEachNameOnce() {
    OK(exportSamples(*stored_, run_.id, path("s.jsonl")));
    OK(importSampleFile(*database_, campaign_, path("s.jsonl")));
    FAILS(ErrorKind::BadInput, importSampleFile(*database_, campaign_, path("s.jsonl")),
          QStringLiteral("imported:int8"), QStringLiteral("already"));
    OK(importSampleFile(*database_, campaign_, path("s.jsonl"), {QStringLiteral("again")}));
    FAILS(ErrorKind::NotFound, importSampleFile(*database_, 999, path("s.jsonl")),
          QStringLiteral("no campaign 999"));
}

void SampleFilesTest::importsWhatScoreReads() {
    OK(stored_->problems.store(QStringLiteral("hash"), {{0, QStringLiteral("HumanEval/0"), {}, {}, 0},
                                                        {0, QStringLiteral("HumanEval/1"), {}, {}, 1}}));
    GET(campaign, stored_->campaigns.load(campaign_));
    campaign.problemsHash = QStringLiteral("hash");
    OK(stored_->campaigns.setProvenance(campaign));
    QVERIFY(writeBytes(
        path("s.jsonl"),
        "\xef\xbb\xbf{\"task_id\": 1, \"completion\": \"a\", \"logprob\": NaN, \"passed\": true}\r\n"
        "{\"task_id\": \"HumanEval/0\", \"completion\": null}\n"
        "{\"task_id\": \"HumanEval/0\", \"solution\": \"def f(): '\\ud83d'\"}\n"
        "{\"task_id\": \"MBPP/7\", \"completion\": \"\"}\n"
        "broken"));
    GET(imported, importSampleFile(*database_, campaign_, path("s.jsonl")));
    QCOMPARE(imported.samples, 4);
    QCOMPARE(imported.scored, 2);
    GET(samples, stored_->samples.list(imported.run.id));
    QCOMPARE(samples[0].taskId, QStringLiteral("HumanEval/1"));
    QCOMPARE(samples[1].verdict, Verdict::Failed);
    QCOMPARE(samples[1].detail, QStringLiteral("no completion: the samples file says null"));
    QCOMPARE(samples[2].sampleIndex, 1);
    QCOMPARE(samples[2].completion, QStringLiteral("def f(): '\uFFFD'"));
    QCOMPARE(imported.notes.size(), 3);
    QVERIFY(imported.notes[0].contains(QLatin1String("1 line of ")) &&
            imported.notes[0].contains(QLatin1String("line 5: expected JSON")));
    QVERIFY(imported.notes[2].startsWith(QLatin1String("1 of its tasks")));
    FAILS(ErrorKind::BadInput,
          importSampleFile(*database_, campaign_, path("s.jsonl"), {QStringLiteral("strict"), true}),
          QStringLiteral("line 5"));
    QVERIFY(writeBytes(path("generations.json"), "[[\"a\", \"b\"], [\"c\"]]"));
    GET(lists, importSampleFile(*database_, campaign_, path("generations.json")));
    QCOMPARE(lists.samples, 3);
}

void SampleFilesTest::setsABadLineAside_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("no JSON") << QByteArray("def f():") << "line 2: expected JSON, but it is not valid JSON";
    QTest::newRow("cut off") << QByteArray(R"({"task_id": "a", "compl)") << "line 2: expected JSON, but";
    QTest::newRow("array") << QByteArray("[1]")
                           << "line 2: expected a JSON object, found a list of 1 values.";
    QTest::newRow("no task") << QByteArray(R"({"completion": "x"})")
                             << "line 2: 'task_id': expected a string or a whole number, found nothing.";
    QTest::newRow("empty task") << QByteArray(R"({"task_id": "", "completion": "x"})") << "found \"\"";
    QTest::newRow("no completion")
        << QByteArray(R"({"task_id": "x"})")
        << "'completion': expected a string or null (or a 'solution'), found nothing.";
    QTest::newRow("passed text") << QByteArray(R"({"task_id": "x", "completion": "", "passed": "yes"})")
                                 << "'passed': expected true or false, found \"yes\".";
    QTest::newRow("contradiction")
        << QByteArray(R"({"task_id": "x", "completion": "", "result": "failed: y", "passed": true})")
        << "'passed' is true, but 'result' is \"failed: y\".";
    QTest::newRow("index") << QByteArray(R"({"task_id": "x", "completion": "", "sample_index": -1})")
                           << "'sample_index': expected an integer from 0 to 2147483647, found -1.";
    QTest::newRow("fraction") << QByteArray(R"({"task_id": "x", "completion": "", "sample_index": 0.5})")
                              << "'sample_index': expected an integer from 0 to 2147483647, found 0.5.";
    QTest::newRow("time") << QByteArray(R"({"task_id": "x", "completion": "", "ttft_ms": -1})")
                          << "'ttft_ms': expected a finite number of at least 0, found -1.";
    QTest::newRow("double") << QByteArray(R"({"task_id": "first", "completion": "", "sample_index": 0})")
                            << "expected each sample once, found first #0 again.";
    QTest::newRow("not UTF-8") << QByteArray("{\"task_id\": \"x\", \"completion\": \"\xff\xfe\"}")
                               << "line 2: expected JSON, but it is not valid JSON";
    QTest::newRow("deep") << QByteArray(100000, '[') << "line 2: expected JSON, but it is nested deeper";
    QTest::newRow("NULs") << QByteArray(100, '\0') << "line 2: expected JSON, but it is not valid JSON";
}

void SampleFilesTest::setsABadLineAside() {
    QFETCH(QByteArray, line);
    QFETCH(QString, sentence);
    const QByteArray good = "{\"task_id\": \"first\", \"completion\": \"\"}\n";
    QVERIFY(writeBytes(path("bad.jsonl"), good + line + "\n" + good));
    GET(file, readSampleFile(path("bad.jsonl")));
    QCOMPARE(file.samples.size(), 2);
    QVERIFY2(file.notes.value(0).contains(sentence), qPrintable(file.notes.join(u' ')));
    FAILS(ErrorKind::BadInput, readSampleFile(path("bad.jsonl"), {}, true), path("bad.jsonl"), sentence);
    QVERIFY(writeBytes(path("only.jsonl"), "\n" + line + "\n"));
    if (!line.contains("first"))
        FAILS(ErrorKind::BadInput, readSampleFile(path("only.jsonl")), path("only.jsonl"));
}

void SampleFilesTest::refusesAFileWithoutSamples() {
    QVERIFY(writeBytes(path("empty.jsonl"), "\n\n"));
    const auto empty = readSampleFile(path("empty.jsonl"));
    FAILS(ErrorKind::BadInput, empty, QStringLiteral("holds no sample"));
    QVERIFY(empty.error().hint.contains(QLatin1String("task_id")));
    FAILS(ErrorKind::BadInput, readSampleFile(path("none.jsonl")), path("none.jsonl"));
    FAILS(ErrorKind::BadInput, readSampleFile(dir_->path()), dir_->path());
    QCOMPARE(::mkfifo(qPrintable(path("in")), 0600), 0); // must not be waited for
    FAILS(ErrorKind::BadInput, readSampleFile(path("in")), QStringLiteral("found a named pipe"));
}

void SampleFilesTest::writesResultsAsCsv() {
    GET(count, exportResultsCsv(*stored_, campaign_, path("results.csv")));
    QCOMPARE(count, 5);
    const QByteArray csv = bytesOf(path("results.csv"));
    QVERIFY(csv.startsWith("run,scheme,batch_size,task_id,sample_index,verdict,detail,"));
    QVERIFY(csv.contains(",int8,8,HumanEval/0,1,failed,\"AssertionError: \"\"1,2\"\"\nnext: "
                         "line\",stop,100,5,12.25,40.1\r\n"));
    QCOMPARE(csv.count("\r\n"), 6);
}

void SampleFilesTest::writesLatencies() {
    OK(stored_->latencies.insert({{run_.id, 0, 1, 128, 3, 10.5, 12.75, {1.25, 1.0 / 3.0}}}));
    OK(exportLatencyCsv(*stored_, campaign_, path("latency.csv")));
    QVERIFY(
        bytesOf(path("latency.csv")).contains(",int8,8,0,1,128,3,10.5,12.75,1.25;0.3333333333333333\r\n"));
    GET(count, exportLatencyJsonl(*stored_, campaign_, path("latency.jsonl")));
    QCOMPARE(count, 1);
    const QJsonObject line = linesOf(path("latency.jsonl")).first();
    QCOMPARE(line.value("itl_ms").toArray().at(1).toDouble(), 1.0 / 3.0);
    QCOMPARE(line.value("scheme").toString(), QStringLiteral("int8"));
    FAILS(ErrorKind::NotFound, exportLatencyCsv(*stored_, 999, path("x.csv")),
          QStringLiteral("no campaign 999"));
    QVERIFY(!QFile::exists(path("x.csv")));
}

void SampleFilesTest::quotesCsv_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("field");
    QTest::newRow("plain") << "a b"
                           << "a b";
    QTest::newRow("empty") << ""
                           << "";
    QTest::newRow("comma") << "a,b"
                           << "\"a,b\"";
    QTest::newRow("quote") << "a\"b"
                           << "\"a\"\"b\"";
    QTest::newRow("formula") << "=HYPERLINK(\"x\")"
                             << "\"'=HYPERLINK(\"\"x\"\")\"";
    QTest::newRow("formula with +") << "+1"
                                    << "'+1";
}

void SampleFilesTest::quotesCsv() {
    QFETCH(QString, text);
    QTEST(csvText(text), "field");
}

void SampleFilesTest::aFailedExportLeavesTheOldFile() {
    FAILS(ErrorKind::Io, exportSamples(*stored_, run_.id, path("none/s.jsonl")), path("none/s.jsonl"),
          QStringLiteral("No such file or directory"));
    QVERIFY(writeBytes(path("old.csv"), "old"));
    FAILS(ErrorKind::NotFound, exportResultsCsv(*stored_, 999, path("old.csv")));
    {
        const quantscope::test::FileSizeLimit limit(100);
        FAILS(ErrorKind::Io, exportResultsCsv(*stored_, campaign_, path("old.csv")),
              QStringLiteral("old.csv: writing failed: File too large"));
    }
    QCOMPARE(bytesOf(path("old.csv")), QByteArray("old"));
    FAILS(ErrorKind::BadInput, exportSamples(*stored_, run_.id, dir_->path()), dir_->path());
}

QTEST_GUILESS_MAIN(SampleFilesTest)
#include "tst_sample_files.moc"
