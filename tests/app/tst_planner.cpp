// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/planner.h"
#include "app/campaign/worker_command.h"

#include <QTest>

using namespace quantscope;
using namespace quantscope::campaign;

namespace {

storage::CampaignSpec spec() {
    storage::CampaignSpec spec;
    spec.model = QStringLiteral("demo");
    spec.problems = QStringLiteral("demo");
    spec.schemes = {QStringLiteral("fp16"), QStringLiteral("int8")};
    spec.batchSizes = {1, 8};
    return spec;
}

QString messageOf(const Expected<>& result) {
    return result ? QString() : QString::fromStdString(result.error().message + " " + result.error().hint);
}

} // namespace

class PlannerTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void latencyOfABatchSizeComesFirstAndInterleaved();
    void measuresCanBeLeftOut();
    void refusals_data();
    void refusals();
    void unknownSchemeNamesTheKnownOnes();
    void listsAreParsed();
    void launcherKeepsQuotedWordsTogether();
    void workerIsBesideTheExecutableOrWhereTheEnvironmentSays();
};

void PlannerTest::latencyOfABatchSizeComesFirstAndInterleaved() {
    const Plan plan = planCampaign(spec());
    const QList<Cell> cells{{QStringLiteral("fp16"), 1},
                            {QStringLiteral("int8"), 1},
                            {QStringLiteral("fp16"), 8},
                            {QStringLiteral("int8"), 8}};
    QCOMPARE(plan.cells, cells);
    const QList<Step> steps{{Measure::Latency, 1, {0, 1}}, {Measure::Eval, 1, {0}}, {Measure::Eval, 1, {1}},
                            {Measure::Latency, 8, {2, 3}}, {Measure::Eval, 8, {2}}, {Measure::Eval, 8, {3}}};
    QCOMPARE(plan.steps, steps);
}

void PlannerTest::measuresCanBeLeftOut() {
    storage::CampaignSpec evalOnly = spec();
    evalOnly.latency.enabled = false;
    QCOMPARE(planCampaign(evalOnly).steps.size(), 4);
    QCOMPARE(planCampaign(evalOnly).steps.first().measure, Measure::Eval);
    storage::CampaignSpec latencyOnly = spec();
    latencyOnly.evalEnabled = false;
    QCOMPARE(planCampaign(latencyOnly).steps.size(), 2);
    QCOMPARE(planCampaign(latencyOnly).steps.first().measure, Measure::Latency);
}

void PlannerTest::refusals_data() {
    QTest::addColumn<int>("change");
    QTest::addColumn<QString>("says");
    QTest::newRow("nothing wrong") << 0 << QString();
    QTest::newRow("no model") << 1 << QStringLiteral("No model is chosen.");
    QTest::newRow("no problems") << 2 << QStringLiteral("No problem file is chosen.");
    QTest::newRow("no scheme") << 3 << QStringLiteral("No scheme is chosen.");
    QTest::newRow("no batch size") << 4 << QStringLiteral("No batch size is chosen.");
    QTest::newRow("batch size 0") << 5
                                  << QStringLiteral(
                                         "A batch size must be a whole number from 1 to 4096, not 0.");
    QTest::newRow("nothing measured") << 6 << QStringLiteral("Nothing is to be measured");
    QTest::newRow("temperature") << 7
                                 << QStringLiteral(
                                        "The temperature must be a number from 0 (greedy) to 10, not -1.");
    QTest::newRow("greedy copies") << 8 << QStringLiteral("10 samples a problem at temperature 0");
    QTest::newRow("top-p") << 9 << QStringLiteral("Top-p must be a number above 0, at most 1, not 0.");
    QTest::newRow("latency") << 10
                             << QStringLiteral("tokens, must be a whole number from 2 to 1048576, not 1.");
    QTest::newRow("limit") << 11 << QStringLiteral("The limit must be a whole number of at least 0, not -3.");
}

void PlannerTest::refusals() {
    QFETCH(int, change);
    QFETCH(QString, says);
    storage::CampaignSpec changed = spec();
    switch (change) {
    case 1: changed.model.clear(); break;
    case 2: changed.problems.clear(); break;
    case 3: changed.schemes.clear(); break;
    case 4: changed.batchSizes.clear(); break;
    case 5: changed.batchSizes = {1, 0}; break;
    case 6: changed.evalEnabled = changed.latency.enabled = false; break;
    case 7: changed.sampling.temperature = -1.0; break;
    case 8: changed.sampling.samplesPerProblem = 10; break;
    case 9: changed.sampling.topP = 0.0; break;
    case 10: changed.latency.outputTokens = 1; break;
    case 11: changed.limit = -3; break;
    default: break;
    }
    const Expected<> checked = checkSpec(changed);
    QCOMPARE(checked.has_value(), says.isEmpty());
    QVERIFY2(messageOf(checked).contains(says), qPrintable(messageOf(checked)));
    if (!checked) {
        QVERIFY(checked.error().code == ErrorCode::bad_input);
    }
}

void PlannerTest::unknownSchemeNamesTheKnownOnes() {
    storage::CampaignSpec changed = spec();
    changed.schemes << QStringLiteral("int3");
    QVERIFY(checkSpec(changed).has_value()); // nobody has said what is known
    storage::SchemeInfo fp16;
    fp16.id = QStringLiteral("fp16");
    storage::SchemeInfo int8;
    int8.id = QStringLiteral("int8");
    const QString message = messageOf(checkSpec(changed, {fp16, int8}));
    QCOMPARE(message, QStringLiteral("The worker knows no scheme \"int3\". Known schemes: fp16, int8."));
}

void PlannerTest::listsAreParsed() {
    QCOMPARE(*parseBatchSizes(QStringLiteral("1, 8,32")), (QList<int>{1, 8, 32}));
    QVERIFY(!parseBatchSizes(QStringLiteral("1,,8")));
    QVERIFY(!parseBatchSizes(QStringLiteral("8,8")));
    QVERIFY(!parseBatchSizes(QStringLiteral("-1")));
    QVERIFY(!parseBatchSizes(QStringLiteral("eight")));
    QVERIFY(!parseBatchSizes(QStringLiteral("5000")));
    QCOMPARE(*parseSchemes(QStringLiteral("fp16, int8")),
             (QStringList{QStringLiteral("fp16"), QStringLiteral("int8")}));
    QVERIFY(!parseSchemes(QStringLiteral("fp16,,int8")));
    QVERIFY(!parseSchemes(QStringLiteral("fp16,fp16")));
}

void PlannerTest::launcherKeepsQuotedWordsTogether() {
    QCOMPARE(splitLauncher(QStringLiteral("srun -N1 --gres=gpu:1")),
             (QStringList{QStringLiteral("srun"), QStringLiteral("-N1"), QStringLiteral("--gres=gpu:1")}));
    QCOMPARE(splitLauncher(QStringLiteral("ssh -o 'User me' host")),
             (QStringList{QStringLiteral("ssh"), QStringLiteral("-o"), QStringLiteral("User me"),
                          QStringLiteral("host")}));
    QVERIFY(splitLauncher(QString()).isEmpty());
    QCOMPARE(defaultCampaignName(spec()), QStringLiteral("Demo model: fp16, int8"));
    storage::CampaignSpec cached = spec();
    for (const auto& [path, name] : std::initializer_list<std::pair<const char*, const char*>>{
             {"/models/Llama-2-7b-hf/", "Llama-2-7b-hf"},
             {"/hub/models--codellama--CodeLlama-7b-hf/snapshots/6c284d1468/", "codellama/CodeLlama-7b-hf"},
             {"/hub/models--codellama--CodeLlama-7b-hf", "codellama/CodeLlama-7b-hf"},
             {"/hub/models--gpt2/snapshots/607a", "gpt2"}}) {
        cached.model = QString::fromLatin1(path);
        QCOMPARE(defaultCampaignName(cached), QString::fromLatin1(name) + QStringLiteral(": fp16, int8"));
    }
}

void PlannerTest::workerIsBesideTheExecutableOrWhereTheEnvironmentSays() {
    qunsetenv("QUANTSCOPE_WORKER");
    const WorkerCommand local = workerCommand({});
    QCOMPARE(local.program, QCoreApplication::applicationDirPath() + QStringLiteral("/quantscope-worker"));
    QVERIFY(!local.remote);
    const WorkerCommand remote = workerCommand({QStringLiteral("ssh"), QStringLiteral("host")});
    QCOMPARE(remote.program, QStringLiteral("ssh"));
    QCOMPARE(remote.arguments, (QStringList{QStringLiteral("host"), QStringLiteral("quantscope-worker"),
                                            QStringLiteral("serve")}));
    QVERIFY(remote.remote);
    QCOMPARE(workerCommand({}, QStringLiteral("/venv/bin/python")).arguments,
             (QStringList{QStringLiteral("serve"), QStringLiteral("--python"),
                          QStringLiteral("/venv/bin/python")}));
    qputenv("QUANTSCOPE_WORKER", "/opt/worker");
    QCOMPARE(workerCommand({}).program, QStringLiteral("/opt/worker"));
    qunsetenv("QUANTSCOPE_WORKER");
}

QTEST_GUILESS_MAIN(PlannerTest)
#include "tst_planner.moc"
