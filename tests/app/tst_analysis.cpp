// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/budget_check.h"
#include "app/analysis/campaign_analysis.h"
#include "app/analysis/headline.h"
#include "app/analysis/run_comparison.h"

#include <QTest>

using namespace quantscope;
using namespace quantscope::analysis;
using storage::Verdict;

namespace {

/// One greedy sample a problem: 'p' passed, 'f' failed, 't' timed out, 'u' unscored; problem i is "T/i".
QList<storage::Sample> samples(const QString& verdicts) {
    QList<storage::Sample> list;
    for (int i = 0; i < verdicts.size(); ++i) {
        storage::Sample sample;
        sample.taskId = QStringLiteral("T/%1").arg(i);
        const QChar c = verdicts[i];
        sample.verdict = c == QLatin1Char('p')   ? Verdict::Passed
                         : c == QLatin1Char('t') ? Verdict::TimedOut
                         : c == QLatin1Char('u') ? Verdict::Unscored
                                                 : Verdict::Failed;
        list << sample;
    }
    return list;
}

storage::LatencySample request(int round, int slot, double ttftMs, double e2eMs, int tokens) {
    storage::LatencySample sample;
    sample.round = round;
    sample.request = slot;
    sample.ttftMs = ttftMs;
    sample.e2eMs = e2eMs;
    sample.outputTokens = tokens;
    for (int i = 1; i < tokens; ++i) {
        sample.itlMs << (e2eMs - ttftMs) / (tokens - 1);
    }
    return sample;
}

RunData run(storage::Id id, const QString& scheme, int batch, const QString& verdicts, double tpot = 0.0,
            int bits = 16) {
    RunData data;
    data.run.id = id;
    data.run.schemeId = scheme;
    data.run.schemeLabel = scheme.toUpper();
    data.run.batchSize = batch;
    data.samples = samples(verdicts);
    if (tpot > 0.0) {
        data.latencies << request(0, 0, 10.0, 10.0 + tpot * 4, 5);
    }
    data.metrics = {{QStringLiteral("weight_bits"), bits}, {QStringLiteral("activation_bits"), bits}};
    return data;
}

CampaignData campaignOf(const QList<RunData>& runs, int problems) {
    CampaignData data;
    data.campaign.spec.problems = QStringLiteral("/data/HumanEval.jsonl.gz");
    data.problemCount = problems;
    data.runs = runs;
    return data;
}

QString repeated(const char* text, int times) {
    return QString::fromLatin1(text).repeated(times);
}

} // namespace

class AnalysisTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void latencyFiguresAreThoseOfTheRequests();
    void passAtOneAndItsInterval();
    void manySamplesPerProblem();
    void unscoredSamplesAreNotFailures();
    void comparisonIsPairedAndCorrected();
    void comparisonIsPerBatchSize();
    void baselineIsFp16UnlessChosen();
    void budget();
    void headlineOfALoss();
    void headlineNeverSaysThatNothingIsLost();
    void headlineOfPartialData();
    void headlineWithoutData();
    void headlineOfLatencyAlone();
    void headlineOfUnscoredSamples();
    void headlineOfTheDemo();
};

void AnalysisTest::latencyFiguresAreThoseOfTheRequests() {
    QCOMPARE(*tpotMs(request(0, 0, 10.0, 40.0, 4)), 10.0);
    QVERIFY(!tpotMs(request(0, 0, 10.0, 10.0, 1)));

    const storage::Percentiles percentiles = percentilesOf({40.0, 10.0, 30.0, 20.0});
    QCOMPARE(percentiles.count, 4);
    QCOMPARE(percentiles.p50, 25.0);
    QCOMPARE(percentiles.p90, 37.0);
    QCOMPARE(percentiles.p99, 39.7);
    QCOMPARE(percentilesOf({}).count, 0);

    // Two rounds of two slots: 16 tokens in 40 ms + 60 ms.
    const QList<storage::LatencySample> rounds{request(0, 0, 10.0, 40.0, 4), request(0, 1, 10.0, 30.0, 4),
                                               request(1, 0, 10.0, 60.0, 4), request(1, 1, 10.0, 50.0, 4)};
    QCOMPARE(tokensPerSecond(rounds), 160.0);
    QCOMPARE(tokensPerSecond({}), 0.0);

    RunData data = run(1, QStringLiteral("fp16"), 2, QString());
    data.latencies = rounds;
    const storage::RunSummary summary = runFigures(data, {}, 0);
    QCOMPARE(summary.itlMs.count, 12);
    QCOMPARE(summary.tpotMs.count, 4);
    QCOMPARE(summary.ttftMs.p50, 10.0);
    QCOMPARE(summary.e2eMs.p50, 45.0);
}

void AnalysisTest::passAtOneAndItsInterval() {
    storage::CampaignSpec spec;
    const storage::RunSummary summary =
        runFigures(run(1, QStringLiteral("int8"), 1, QStringLiteral("pppt")), spec, 4);
    QCOMPARE(summary.passAt1, 0.75);
    QCOMPARE(summary.samplesPassed, 3);
    QCOMPARE(summary.samplesTimedOut, 1);
    // Wilson 1927 by hand, z = 1.959964: centre 0.627560, half width 0.326886.
    QVERIFY(qAbs(summary.passAt1Interval.low - 0.30064) < 1e-4);
    QVERIFY(qAbs(summary.passAt1Interval.high - 0.95441) < 1e-4);
    QVERIFY(!summary.partial);
    QVERIFY(runFigures(run(1, QStringLiteral("int8"), 1, QStringLiteral("pppt")), spec, 5).partial);
}

void AnalysisTest::manySamplesPerProblem() {
    RunData data = run(1, QStringLiteral("int8"), 1, QString());
    for (int problem = 0; problem < 2; ++problem) {
        for (int index = 0; index < 10; ++index) {
            storage::Sample sample;
            sample.taskId = QStringLiteral("T/%1").arg(problem);
            sample.sampleIndex = index;
            sample.verdict = index < (problem == 0 ? 3 : 0) ? Verdict::Passed : Verdict::Failed;
            data.samples << sample;
        }
    }
    const storage::RunSummary summary = runFigures(data, {}, 2);
    QCOMPARE(summary.passAt1, 0.15);          // (3/10 + 0) / 2
    QCOMPARE(summary.passAtK.value(10), 0.5); // (1 + 0) / 2
    QVERIFY(!taskResults(data.samples).value(QStringLiteral("T/0")).solved());
}

void AnalysisTest::unscoredSamplesAreNotFailures() {
    const storage::RunSummary summary =
        runFigures(run(1, QStringLiteral("int8"), 1, QStringLiteral("puuf")), {}, 4);
    QCOMPARE(summary.samplesStored, 4);
    QCOMPARE(summary.samplesScored, 2);
    QCOMPARE(summary.passAt1, 0.5);
}

void AnalysisTest::comparisonIsPairedAndCorrected() {
    // Against ten passes, a loses six and b one: McNemar 2/2^6 and 1; Holm doubles the smaller.
    const CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, repeated("p", 10), 10.0),
                                          run(2, QStringLiteral("a"), 1, QStringLiteral("ffffffpppp"), 5.0),
                                          run(3, QStringLiteral("b"), 1, QStringLiteral("pppppppppf"), 20.0)},
                                         10);
    const storage::CampaignSummary summary = summarize(data);
    QVERIFY(!summary.runs[0].comparison);
    const storage::Comparison& a = *summary.runs[1].comparison;
    QCOMPARE(a.passDelta, -0.6);
    QCOMPARE(a.lostTasks.size(), 6);
    QCOMPARE(a.gainedTasks.size(), 0);
    QCOMPARE(a.mcnemarP, 0.03125);
    QCOMPARE(a.mcnemarPHolm, 0.0625);
    QCOMPARE(a.verdict, QStringLiteral("not distinguishable on these problems"));
    QCOMPARE(*a.tpotRatio, 0.5);
    const storage::Comparison& b = *summary.runs[2].comparison;
    QCOMPARE(b.mcnemarP, 1.0);
    QCOMPARE(b.mcnemarPHolm, 1.0);
    QCOMPARE(b.lostTasks, QStringList{QStringLiteral("T/9")});
    QVERIFY(b.passDeltaInterval.low <= -0.1 && b.passDeltaInterval.high >= -0.1);
}

void AnalysisTest::comparisonIsPerBatchSize() {
    const CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, QStringLiteral("pp")),
                                          run(2, QStringLiteral("int8"), 1, QStringLiteral("pf")),
                                          run(3, QStringLiteral("fp16"), 8, QStringLiteral("ff")),
                                          run(4, QStringLiteral("int8"), 8, QStringLiteral("pf")),
                                          run(5, QStringLiteral("int8"), 32, QStringLiteral("pf"))},
                                         2);
    const storage::CampaignSummary summary = summarize(data);
    QCOMPARE(summary.baselineRunId, 1);
    QCOMPARE(summary.runs[1].comparison->baselineRunId, 1);
    QCOMPARE(summary.runs[1].comparison->passDelta, -0.5);
    QVERIFY(!summary.runs[2].comparison);
    QCOMPARE(summary.runs[3].comparison->baselineRunId, 3);
    QCOMPARE(summary.runs[3].comparison->passDelta, 0.5);
    QVERIFY(!summary.runs[4].comparison); // no fp16 at batch 32
}

void AnalysisTest::baselineIsFp16UnlessChosen() {
    const CampaignData data = campaignOf({run(1, QStringLiteral("int8"), 1, QStringLiteral("pp")),
                                          run(2, QStringLiteral("fp16"), 1, QStringLiteral("pp"))},
                                         2);
    QCOMPARE(summarize(data).baselineRunId, 2);
    QCOMPARE(summarize(data, 1).baselineRunId, 1);
    QCOMPARE(summarize(data, 99).baselineRunId, 2);
    QCOMPARE(runOfScheme(data, QStringLiteral("int8")), 1);
    QCOMPARE(runOfScheme(data, QStringLiteral("w4a4")), 0);
    const CampaignData without = campaignOf({run(7, QStringLiteral("int8"), 1, QString())}, 2);
    QCOMPARE(summarize(without).baselineRunId, 7);
}

void AnalysisTest::budget() {
    storage::Budget budget;
    storage::RunSummary fast;
    fast.ttftMs = {5, 100.0, 110.0, 120.0};
    fast.tpotMs = {5, 10.0, 11.0, 12.0};
    QVERIFY(!insideBudget(budget, fast)); // no limits
    budget.ttftP99Ms = 450.0;
    budget.tpotP99Ms = 40.0;
    QVERIFY(*insideBudget(budget, fast));
    QCOMPARE(budgetWords(budget, fast), QStringLiteral("inside the budget"));
    budget.tpotP99Ms = 11.5;
    QVERIFY(!*insideBudget(budget, fast));
    QCOMPARE(budgetWords(budget, fast).replace(QChar(0x00A0), QLatin1Char(' ')),
             QStringLiteral("outside the budget (TPOT p99 12.0 ms, limit 11.5 ms)"));
    budget.tpotP99Ms.reset();
    budget.e2eP99Ms = 467.0;
    budget.e2eTokens = 30; // 120 + 29 * 12 = 468
    QVERIFY(!*insideBudget(budget, fast));
    QVERIFY(!insideBudget(budget, storage::RunSummary{})); // no latency data
}

void AnalysisTest::headlineOfALoss() {
    CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, repeated("p", 40), 10.0),
                                    run(2, QStringLiteral("int8"), 1, repeated("p", 40), 8.0, 8),
                                    run(3, QStringLiteral("w4a4-rtn"), 1, repeated("f", 40), 4.0, 4),
                                    run(4, QStringLiteral("w4a4-rot"), 1, repeated("ppff", 10), 6.0, 4)},
                                   40);
    data.campaign.spec.budget.tpotP99Ms = 40.0;
    const storage::CampaignSummary summary = summarize(data);
    QCOMPARE(*headlinePair(summary), (HeadlinePair{3, 1})); // the better 4-bit scheme against the 8-bit one
    QString text = summary.headline;
    text.replace(QChar(0x00A0), QLatin1Char(' '));
    QVERIFY2(
        text.startsWith(QStringLiteral("W4A4-ROT loses 50.0 points of pass@1 against INT8 (95 % interval of "
                                       "the difference −")),
        qPrintable(text));
    QVERIFY2(text.contains(
                 QStringLiteral(") and takes 0.75× its time per token (6.00 ms against 8.00 ms) at batch "
                                "size 1; inside the budget. Against FP16 the difference is −50.0 points "
                                "and 0.60× the time per token.")),
             qPrintable(text));
}

void AnalysisTest::headlineNeverSaysThatNothingIsLost() {
    const auto agreeing = [](int pairs) {
        return campaignOf({run(1, QStringLiteral("fp16"), 1, repeated("pf", pairs)),
                           run(2, QStringLiteral("int8"), 1, repeated("pf", pairs), 0.0, 8)},
                          2 * pairs);
    };
    QCOMPARE(summarize(agreeing(80)).headline,
             QStringLiteral(
                 "INT8 is equivalent to FP16 in pass@1 within the margin of 2 points (no problem's verdict "
                 "differs) at batch size 1."));
    // 20 problems that agree cannot bear out a margin of 2 points: 1 - 0.05^(1/20) is 14 points.
    QCOMPARE(
        summarize(agreeing(10)).headline,
        QStringLiteral("INT8 is not distinguishable from FP16 in pass@1 on these 20 problems (no problem's "
                       "verdict differs) at batch size 1."));
    QVERIFY(!canShowEquivalence(148));
    QVERIFY(canShowEquivalence(149));
    const CampaignData close =
        campaignOf({run(1, QStringLiteral("fp16"), 1, QStringLiteral("ppppffff")),
                    run(2, QStringLiteral("int8"), 1, QStringLiteral("pppfffff"), 0.0, 8)},
                   8);
    const QString text = summarize(close).headline;
    QVERIFY2(
        text.startsWith(QStringLiteral("INT8 is not distinguishable from FP16 in pass@1 on these 8 problems "
                                       "(difference −12.5 points, 95 % interval ")),
        qPrintable(text));
}

void AnalysisTest::headlineOfPartialData() {
    const CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, repeated("p", 20)),
                                          run(2, QStringLiteral("int8"), 1, repeated("f", 9), 0.0, 8)},
                                         20);
    QVERIFY2(
        summarize(data).headline.startsWith(QStringLiteral("On the 9 of 20 problems that both have finished, "
                                                           "INT8 loses 100.0 points of pass@1 against FP16")),
        qPrintable(summarize(data).headline));
}

void AnalysisTest::headlineWithoutData() {
    QCOMPARE(summarize(campaignOf({run(1, QStringLiteral("fp16"), 1, QString())}, 20)).headline,
             QStringLiteral("There are no results yet."));
    QCOMPARE(summarize(campaignOf({run(1, QStringLiteral("fp16"), 1, QStringLiteral("uu"))}, 2)).headline,
             QStringLiteral("Completions are stored, but none could be scored."));
    const QString alone =
        summarize(campaignOf({run(1, QStringLiteral("fp16"), 1, QStringLiteral("pf"))}, 2)).headline;
    QVERIFY2(alone.contains(QStringLiteral("There is no second scheme to compare it with yet.")),
             qPrintable(alone));
}

void AnalysisTest::headlineOfLatencyAlone() {
    QString text = summarize(campaignOf({run(1, QStringLiteral("fp16"), 8, QString(), 10.0),
                                         run(2, QStringLiteral("int8"), 8, QString(), 12.0, 8)},
                                        0))
                       .headline;
    text.replace(QChar(0x00A0), QLatin1Char(' '));
    QCOMPARE(text,
             QStringLiteral("INT8 takes 1.20× the time per token of FP16 (12.0 ms against 10.0 ms) at batch "
                            "size 8."));
}

void AnalysisTest::headlineOfUnscoredSamples() {
    QString text = summarize(campaignOf({run(1, QStringLiteral("fp16"), 1, QStringLiteral("uu"), 10.0),
                                         run(2, QStringLiteral("int8"), 1, QStringLiteral("uu"), 8.0, 8),
                                         run(3, QStringLiteral("w4a4-rot"), 1, QStringLiteral("uu"), 6.0, 4)},
                                        2))
                       .headline;
    text.replace(QChar(0x00A0), QLatin1Char(' '));
    QCOMPARE(text,
             QStringLiteral("W4A4-ROT takes 0.75× the time per token of INT8 (6.00 ms against 8.00 ms) at "
                            "batch size 1. Against FP16 it takes 0.60× the time per token."));
}

void AnalysisTest::headlineOfTheDemo() {
    CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, repeated("pf", 80)),
                                    run(2, QStringLiteral("int8"), 1, repeated("pf", 80), 0.0, 8)},
                                   40);
    data.campaign.spec.problems = QStringLiteral("demo");
    QVERIFY(summarize(data).headline.endsWith(QStringLiteral(" These are demo problems, not HumanEval.")));
}

QTEST_GUILESS_MAIN(AnalysisTest)
#include "tst_analysis.moc"
