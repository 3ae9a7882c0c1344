// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/campaign_analysis.h"
#include "tests/app/campaign_fixture.h"

using namespace quantscope;
using storage::RunStatus;

/// The controller with the real worker on the demo model, a few problems.
class CampaignRealTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { qputenv("QUANTSCOPE_WORKER", QUANTSCOPE_BIN_DIR "/quantscope-worker"); }
    void schemesAreMeasuredEndToEnd();
    void aModelFolderWithoutAModelIsNamed();
    void aTokenizerJsonGivesTheSameSamples();
};

void CampaignRealTest::schemesAreMeasuredEndToEnd() {
    CampaignFixture fixture;
    storage::CampaignSpec spec = demoSpec();
    spec.batchSizes = {8};
    spec.limit = 8;
    spec.sampling.maxNewTokens = 64;
    spec.latency = {true, 16, 8, 2};
    const auto outcome = fixture.start(spec);
    QVERIFY2(!outcome.error, outcome.error ? outcome.error->message.c_str() : "");
    QCOMPARE(outcome.status, RunStatus::Done);
    QCOMPARE(fixture.samples().size(), 16);

    const auto reader = storage::Reader::open(fixture.database());
    const auto data = analysis::loadCampaignData((*reader)->repositories, outcome.campaignId);
    QVERIFY(data);
    const storage::CampaignSummary summary = analysis::summarize(*data);
    QCOMPARE(summary.runs.size(), 2);
    for (const storage::RunSummary& run : summary.runs) {
        QCOMPARE(run.problemsTotal, 8);
        QCOMPARE(run.samplesStored, 8);
        QVERIFY(!run.partial);
        QCOMPARE(run.ttftMs.count, 2 * 8); // rounds x slots
        QCOMPARE(run.itlMs.count, 2 * 8 * 7);
        QVERIFY(run.tpotMs.p50 > 0.0 && run.tpotMs.p50 <= run.tpotMs.p99);
        QVERIFY(run.tokensPerSecond > 0.0);
        QCOMPARE(run.metrics.value(QStringLiteral("prompt_boundaries")), 8.0);
        QCOMPARE(run.metrics.value(QStringLiteral("prompt_boundaries_kept")), 8.0);
        QCOMPARE(run.metrics.value(QStringLiteral("prompt_stripped")), 0.0);
    }
    const auto bytesPerWeight = [&](int index) {
        const QMap<QString, double>& metrics = summary.runs[index].metrics;
        return metrics.value(QStringLiteral("linear_weight_bytes")) /
               metrics.value(QStringLiteral("linear_weight_count"));
    };
    QVERIFY(bytesPerWeight(1) <= 1.02);
    QVERIFY(bytesPerWeight(0) > bytesPerWeight(1));
    QVERIFY(summary.runs[1].comparison);
    QVERIFY(summary.headline.contains(QStringLiteral("demo problems, not HumanEval")));
}

void CampaignRealTest::aModelFolderWithoutAModelIsNamed() {
    CampaignFixture fixture;
    storage::CampaignSpec spec = demoSpec();
    spec.model = fixture.folder.path();
    const auto outcome = fixture.start(spec);
    QCOMPARE(outcome.campaignId, 0);
    QVERIFY(outcome.error);
    QVERIFY2(outcome.error->message.find("config.json") != std::string::npos, outcome.error->message.c_str());
}

/// The demo model with its vocabulary as a tokenizer.json instead of a tokenizer.model.
void CampaignRealTest::aTokenizerJsonGivesTheSameSamples() {
    const QDir demo(QStringLiteral(QUANTSCOPE_SOURCE_DIR "/resources/demo/model"));
    const QTemporaryDir folder;
    for (const char* name : {"config.json", "model.safetensors", "tokenizer_config.json"}) {
        QVERIFY(QFile::copy(demo.filePath(QString::fromLatin1(name)),
                            folder.filePath(QString::fromLatin1(name))));
    }
    QVERIFY(
        QFile::copy(QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/tokenizers/demo/tokenizer.json"),
                    folder.filePath(QStringLiteral("tokenizer.json"))));
    QStringList samples;
    for (const QString& model : {QStringLiteral("demo"), folder.path()}) {
        CampaignFixture fixture;
        storage::CampaignSpec spec = demoSpec();
        spec.model = model;
        spec.schemes = {QStringLiteral("fp16")};
        spec.batchSizes = {8};
        spec.limit = 8;
        spec.sampling.maxNewTokens = 64;
        spec.latency.enabled = false;
        const auto outcome = fixture.start(spec);
        QVERIFY2(!outcome.error, outcome.error ? outcome.error->message.c_str() : "");
        if (samples.isEmpty()) {
            samples = fixture.samples();
            QCOMPARE(samples.size(), 8);
        }
        QCOMPARE(fixture.samples(), samples);
    }
}

QTEST_GUILESS_MAIN(CampaignRealTest)
#include "tst_campaign_real.moc"
