// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/synthetic_campaign.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"
#include "ui/numbers/visible_text.h"
#include "ui/report/reproduce.h"

#include <QTest>

using namespace quantscope;
using namespace quantscope::ui;

class TestNumbers : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void formats_data();
    void formats();
    void budgetInWords();
    void statusOfBothMeasures();
    void missingMetricsAreMissing();
    void commandIsExactAndQuoted();
};

void TestNumbers::formats_data() {
    QTest::addColumn<QString>("shown");
    QTest::addColumn<QString>("expected");
    QTest::newRow("small") << formatNumber(0.4124) << QStringLiteral("0.412");
    QTest::newRow("ones") << formatNumber(9.994) << QStringLiteral("9.99");
    QTest::newRow("rounds up a digit") << formatNumber(9.996) << QStringLiteral("10.0");
    QTest::newRow("hundreds") << formatNumber(1234.4) << QStringLiteral("1234");
    QTest::newRow("not a number") << formatNumber(std::nan("")) << QStringLiteral("–");
    QTest::newRow("ms") << formatMs(41.23) << QStringLiteral("41.2\u00a0ms");
    QTest::newRow("limit") << formatLimit(8.0) << QStringLiteral("8\u00a0ms");
    QTest::newRow("gib") << formatBytes(12.6 * 1073741824.0) << QStringLiteral("12.6\u00a0GiB");
    QTest::newRow("bytes") << formatBytes(7) << QStringLiteral("7\u00a0B");
    QTest::newRow("percent") << formatPercent(0.1280) << QStringLiteral("12.8\u00a0%");
    QTest::newRow("loss") << formatPoints(-0.012) << QStringLiteral("−1.2");
    QTest::newRow("gain") << formatPoints(0.006) << QStringLiteral("+0.6");
    QTest::newRow("no minus zero") << formatPoints(-0.0001) << QStringLiteral("0.0");
    QTest::newRow("p") << formatP(0.0341) << QStringLiteral("0.034");
    QTest::newRow("tiny p") << formatP(1e-9) << QStringLiteral("< 0.001");
    QTest::newRow("p over one") << formatP(1.0000001) << QStringLiteral("1.00");
    QTest::newRow("seconds") << formatDuration(44.6) << QStringLiteral("45 s");
    QTest::newRow("minutes") << formatDuration(190) << QStringLiteral("3 min 10 s");
    QTest::newRow("hours") << formatDuration(7500) << QStringLiteral("2 h 5 min");
    QTest::newRow("direction") << visibleText(QStringLiteral("a\u202eb\u2066c"))
                               << QStringLiteral("a\\u202eb\\u2066c");
    QTest::newRow("escape") << visibleText(QStringLiteral("\x1b[31m\a\r!\r\n\t"))
                            << QStringLiteral("\\u001b[31m\\u0007\\u000d!\r\n\t");
    QTest::newRow("Hebrew") << visibleText(QStringLiteral("\u05d0 é")) << QStringLiteral("\u05d0 é");
    QTest::newRow("no time") << formatDateTime({}) << QStringLiteral("–");
}

void TestNumbers::formats() {
    QFETCH(QString, shown);
    QFETCH(QString, expected);
    QCOMPARE(shown, expected);
}

void TestNumbers::budgetInWords() {
    const storage::Budget budget{QStringLiteral("Custom"), 450.0, 40.0, std::nullopt, 30};
    QCOMPARE(budgetLimits(budget), QStringLiteral("TTFT p99 ≤ 450\u00a0ms, TPOT p99 ≤ 40\u00a0ms"));
    QVERIFY(!hasLimits({}));
    QCOMPARE(budgetLimits({}), QString());
}

void TestNumbers::statusOfBothMeasures() {
    using storage::RunStatus;
    storage::CampaignSpec spec;
    storage::Run run;
    run.evalStatus = RunStatus::Done;
    QCOMPARE(overallStatus(run, spec), RunStatus::Partial); // latency is still to come
    spec.latency.enabled = false;
    QCOMPARE(overallStatus(run, spec), RunStatus::Done);
    spec.latency.enabled = true;
    run.latencyStatus = RunStatus::Failed;
    QCOMPARE(overallStatus(run, spec), RunStatus::Failed);
    run.latencyStatus = RunStatus::Done;
    QCOMPARE(overallStatus(run, spec), RunStatus::Done);
}

void TestNumbers::missingMetricsAreMissing() {
    storage::RunSummary run;
    QVERIFY(!memoryParts(run));
    QVERIFY(!bytesPerWeight(run));
    QVERIFY(!tokensPerSecond(run));
    run.metrics[QStringLiteral("linear_weight_bytes")] = 104.0;
    run.metrics[QStringLiteral("linear_weight_count")] = 200.0;
    QCOMPARE(bytesPerWeight(run), std::optional(0.52));
    QCOMPARE(memoryParts(run)->total(), 104.0);
}

void TestNumbers::commandIsExactAndQuoted() {
    storage::CampaignSpec spec = test::syntheticCampaign().campaign.spec;
    QCOMPARE(reproduceCommand(spec),
             QStringLiteral(
                 "quantscope run --model demo --problems demo --schemes fp16,int8,w4a8,w4a4-rtn,w4a4-rot "
                 "--batch-sizes 1,8 --backend auto --seed 0 --max-new-tokens 256 --latency-prompt 128 "
                 "--latency-output 32 --latency-requests 5 --ttft-p99-ms 250 --tpot-p99-ms 8"));
    spec.budget = {};
    spec.model = QStringLiteral("/models/it's mine");
    spec.launcher = {QStringLiteral("ssh"), QStringLiteral("gpu-host")};
    spec.limit = 20;
    spec.sampling.temperature = 0.8;
    spec.sampling.samplesPerProblem = 10;
    spec.latency.enabled = false;
    const QString command = reproduceCommand(spec);
    QVERIFY(command.contains(QStringLiteral("--model '/models/it'\\''s mine'")));
    QVERIFY(command.contains(QStringLiteral("--launcher 'ssh gpu-host'")));
    QVERIFY(command.contains(QStringLiteral("--limit 20 --samples 10 --temperature 0.8")));
    QVERIFY(command.endsWith(QStringLiteral("--no-latency --launcher 'ssh gpu-host'")));
}

QTEST_GUILESS_MAIN(TestNumbers)
#include "tst_numbers.moc"
