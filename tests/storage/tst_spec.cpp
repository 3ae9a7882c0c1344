// SPDX-License-Identifier: Apache-2.0
#include "storage/resume_identity.h"
#include "storage/spec_json.h"
#include "tests/storage/fixture.h"

#include <QJsonDocument>
#include <limits>

using namespace quantscope::storage;
using namespace quantscope::storage::test;

class SpecTest : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void comesBackAsItWas();
    void absentFieldsAreDefaults();
    void refusesWrongFields_data();
    void refusesWrongFields();
    void refusesWhatCannotRun();
    void resumesTheSame();
    void saysWhatDiffers_data();
    void saysWhatDiffers();
};

static CampaignSpec fullSpec() {
    CampaignSpec spec = exampleSpec();
    spec.name = QStringLiteral("Grüße \"x\"\n");
    spec.model = QStringLiteral("/models/Llama-2-7b-hf");
    spec.problems = QStringLiteral("/data/HumanEval.jsonl.gz");
    spec.backend = QStringLiteral("cuda");
    spec.python = QStringLiteral("/venv/bin/python");
    spec.launcher = {QStringLiteral("srun"), QStringLiteral("-N1"), QStringLiteral("--gres=gpu:1")};
    spec.limit = 20;
    spec.evalEnabled = false;
    spec.sampling = {10, 0.8, 0.95, std::numeric_limits<quint64>::max(), 256, QStringLiteral("stripped")};
    spec.latency = {false, 2048, 128, 50};
    spec.budget = {QStringLiteral("Inline completion"), std::nullopt, 40.0, 200.5, 31};
    return spec;
}

void SpecTest::comesBackAsItWas() {
    const CampaignSpec spec = fullSpec();
    GET(back, specFromText(specToText(spec)));
    QCOMPARE(back.name, spec.name);
    QCOMPARE(back.model, spec.model);
    QCOMPARE(back.problems, spec.problems);
    QCOMPARE(back.backend, spec.backend);
    QCOMPARE(back.launcher, spec.launcher);
    QCOMPARE(back.python, spec.python);
    QCOMPARE(back.schemes, spec.schemes);
    QCOMPARE(back.batchSizes, spec.batchSizes);
    QCOMPARE(back.limit, spec.limit);
    QCOMPARE(back.evalEnabled, spec.evalEnabled);
    QCOMPARE(back.sampling.samplesPerProblem, 10);
    QVERIFY(back.sampling.temperature == 0.8 && back.sampling.topP == 0.95);
    QCOMPARE(back.sampling.seed, spec.sampling.seed); // all 64 bits
    QCOMPARE(back.sampling.maxNewTokens, 256);
    QCOMPARE(back.sampling.promptForm, QStringLiteral("stripped"));
    QCOMPARE(back.latency.enabled, false);
    QCOMPARE(back.latency.promptTokens, 2048);
    QCOMPARE(back.latency.outputTokens, 128);
    QCOMPARE(back.latency.requests, 50);
    QCOMPARE(back.budget.name, spec.budget.name);
    QVERIFY(!back.budget.ttftP99Ms);
    QCOMPARE(back.budget.tpotP99Ms, spec.budget.tpotP99Ms);
    QCOMPARE(back.budget.e2eP99Ms, spec.budget.e2eP99Ms);
    QCOMPARE(back.budget.e2eTokens, 31);
}

void SpecTest::absentFieldsAreDefaults() {
    GET(spec,
        specFromText(R"({"schemes": ["int8"], "sampling": {"seed": 7, "unknown": []}, "later": true})"));
    QCOMPARE(spec.schemes, QStringList{QStringLiteral("int8")});
    QCOMPARE(spec.sampling.seed, 7U);
    QCOMPARE(spec.sampling.maxNewTokens, 512);
    QCOMPARE(spec.sampling.promptForm, QStringLiteral("raw")); // the only one there was
    QCOMPARE(spec.backend, QStringLiteral("auto"));
    QVERIFY(spec.latency.enabled);
}

void SpecTest::refusesWrongFields_data() {
    QTest::addColumn<QByteArray>("json");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("no JSON") << QByteArray("{\"a\":") << "it is not valid JSON";
    QTest::newRow("nothing") << QByteArray() << "it is not valid JSON";
    QTest::newRow("an array") << QByteArray("[]") << "expected a JSON object, found a list of 0 values";
    QTest::newRow("text") << QByteArray(R"({"name": 3})") << "'name': expected a string, found 3.";
    QTest::newRow("flag") << QByteArray(R"({"eval": "yes"})")
                          << "'eval': expected true or false, found \"yes\".";
    QTest::newRow("fraction") << QByteArray(R"({"limit": 1.5})")
                              << "'limit': expected an integer, found 1.5.";
    QTest::newRow("too large") << QByteArray(R"({"limit": 1e10})") << "found 10000000000.0";
    QTest::newRow("object") << QByteArray(R"({"sampling": []})")
                            << "'sampling': expected an object, found a list of 0 values.";
    QTest::newRow("nested") << QByteArray(R"({"sampling": {"top_p": "1"}})")
                            << "'sampling.top_p': expected a number, found \"1\".";
    QTest::newRow("seed") << QByteArray(R"({"sampling": {"seed": "-1"}})")
                          << "'sampling.seed': expected a whole number from 0";
    QTest::newRow("inexact seed") << QByteArray(R"({"sampling": {"seed": 1e19}})")
                                  << "'sampling.seed': expected an integer of at least 0";
    QTest::newRow("element") << QByteArray(R"({"schemes": ["a", 1]})")
                             << "'schemes': expected strings, found 1.";
    QTest::newRow("number element") << QByteArray(R"({"batch_sizes": [1, true]})")
                                    << "'batch_sizes': expected a whole number from 1 to 4096, found true.";
    QTest::newRow("budget") << QByteArray(R"({"budget": {"tpot_p99_ms": "fast"}})")
                            << "'budget.tpot_p99_ms': expected a number, found \"fast\".";
    QTest::newRow("prompt form") << QByteArray(R"({"sampling": {"prompt_form": "odd"}})")
                                 << "Field sampling.prompt_form: expected raw, stripped or auto, found odd.";
    QTest::newRow("negative budget")
        << QByteArray(R"({"budget": {"tpot_p99_ms": -1}})")
        << "Field budget.tpot_p99_ms: expected a number of milliseconds above 0, at most 1000000, found -1.";
}

void SpecTest::refusesWrongFields() {
    QFETCH(QByteArray, json);
    QFETCH(QString, sentence);
    FAILS(ErrorKind::BadInput, specFromText(json), sentence);
}

void SpecTest::refusesWhatCannotRun() {
    const auto check = [](auto change) {
        CampaignSpec spec = exampleSpec();
        change(spec);
        return checkSpec(spec);
    };
    OK(check([](CampaignSpec&) {}));
    FAILS(ErrorKind::BadInput, check([](CampaignSpec& s) { s.schemes << QString(); }),
          QStringLiteral("an empty one"));
    FAILS(ErrorKind::BadInput, check([](CampaignSpec& s) { s.batchSizes << 8; }), QStringLiteral("8 twice"));
    FAILS(ErrorKind::BadInput, check([](CampaignSpec& s) { s.limit = -1; }), QStringLiteral("Field limit"));
    FAILS(ErrorKind::BadInput, check([](CampaignSpec& s) { s.sampling.topP = 1.5; }), QStringLiteral("top_p"),
          QStringLiteral("1.5"));
    FAILS(ErrorKind::BadInput,
          check([](CampaignSpec& s) { s.sampling.temperature = std::numeric_limits<double>::quiet_NaN(); }),
          QStringLiteral("temperature"), QStringLiteral("nan"));
    FAILS(ErrorKind::BadInput, check([](CampaignSpec& s) { s.latency.requests = 0; }),
          QStringLiteral("latency.requests"));
    OK(check([](CampaignSpec& s) { s.latency = {false, 0, 0, 0}; }));
}

static Campaign measured() {
    Campaign campaign;
    campaign.id = 12;
    campaign.spec = exampleSpec();
    campaign.modelHash = QStringLiteral("m1");
    campaign.problemsHash = QStringLiteral("p1");
    campaign.protocolId = QStringLiteral("raw-1");
    campaign.workerVersion = QStringLiteral("0.1.0");
    campaign.deviceName = QStringLiteral("CPU");
    return campaign;
}

void SpecTest::resumesTheSame() {
    ResumeIdentity now = identityOf(measured());
    std::reverse(now.schemes.begin(), now.schemes.end());
    OK(checkResume(measured(), now));
    Campaign neverStarted = measured();
    neverStarted.modelHash.clear();
    neverStarted.problemsHash.clear();
    OK(checkResume(neverStarted, now));
    OK(checkResume(measured(), {}));
}

void SpecTest::saysWhatDiffers_data() {
    QTest::addColumn<ResumeIdentity>("now");
    QTest::addColumn<QStringList>("sentences");
    const auto row = [](const char* name, auto change, const QStringList& sentences) {
        ResumeIdentity now = identityOf(measured());
        change(now);
        QTest::newRow(name) << now << sentences;
    };
    row("model", [](ResumeIdentity& i) { i.modelHash = QStringLiteral("m2"); },
        {"The model differs: its hash was m1, now it is m2."});
    row("problems", [](ResumeIdentity& i) { i.problemsHash = QStringLiteral("p2"); },
        {"The problem set differs: its hash was p1, now it is p2."});
    row("protocol", [](ResumeIdentity& i) { i.protocolId = QStringLiteral("raw-2"); },
        {"The protocol differs: it was raw-1, now it is raw-2."});
    row("engine", [](ResumeIdentity& i) { i.engineVersion = QStringLiteral("0.2.0"); },
        {"The engine differs: its version was 0.1.0, now it is 0.2.0."});
    row("device", [](ResumeIdentity& i) { i.deviceName = QStringLiteral("H100"); },
        {"The device differs: it was CPU, now it is H100."});
    row("schemes",
        [](ResumeIdentity& i) {
            i.schemes = QStringList{QStringLiteral("w4a4"), QStringLiteral("fp16")};
        },
        {"The schemes differ: they were fp16, int8, now they are fp16, w4a4."});
    row("two at once",
        [](ResumeIdentity& i) {
            i.modelHash = QStringLiteral("m2");
            i.engineVersion = QStringLiteral("0.2.0");
        },
        {"The model differs", "The engine differs"});
}

void SpecTest::saysWhatDiffers() {
    QFETCH(ResumeIdentity, now);
    QFETCH(QStringList, sentences);
    const auto checked = checkResume(measured(), now);
    FAILS(ErrorKind::BadInput, checked, QStringLiteral("Campaign 12 (Example) cannot be resumed."));
    for (const QString& sentence : sentences)
        QVERIFY2(checked.error().message.contains(sentence), qPrintable(checked.error().message));
    QCOMPARE(differences(identityOf(measured()), now).size(), sentences.size());
    QVERIFY(!checked.error().hint.isEmpty());
}

QTEST_GUILESS_MAIN(SpecTest)
#include "tst_spec.moc"
