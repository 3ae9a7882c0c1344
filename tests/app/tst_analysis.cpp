// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/budget_check.h"
#include "app/analysis/headline.h"
#include "app/analysis/latency_figures.h"
#include "app/analysis/unscored.h"
#include "tests/app/analysis_fixture.h"

#include <QTest>

using namespace quantscope;
using namespace quantscope::analysis;
using namespace quantscope::analysis::test;

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
    void budgetIsJudgedFromEnoughRequests();
    void budgetInWords();
    void headlineOfALoss();
    void headlineNeverSaysThatNothingIsLost();
    void headlineOfPartialData();
    void headlineClaimsNothingFromNumbersThatAreNotFinite();
    void headlineWithoutData();
    void headlineOfLatencyAlone();
    void headlineOfUnscoredSamples();
    void whatCannotBeJudgedIsSaid();
    void headlineOfTheDemo();
};

void AnalysisTest::latencyFiguresAreThoseOfTheRequests() {
    QCOMPARE(*tpotMs(request(0, 0, 10.0, 40.0, 4)), 10.0);
    QVERIFY(!tpotMs(request(0, 0, 10.0, 10.0, 1)));

    const storage::Percentiles percentiles =
        percentilesOf({{0, {40.0}}, {1, {10.0}}, {2, {30.0}}, {3, {20.0}}});
    QCOMPARE(percentiles.count, 4);
    QCOMPARE(percentiles.p50, 25.0);
    QCOMPARE(percentiles.p90, 37.0);
    QCOMPARE(percentiles.p99, 39.7);
    QCOMPARE(percentiles.rounds, 4);
    QCOMPARE(*percentiles.p99Limits.low, 39.7); // never beyond the value itself
    QVERIFY(!percentiles.p99Limits.high);
    QCOMPARE(percentilesOf({}).count, 0);

    // Two rounds of two slots: 16 tokens in 40 ms + 60 ms.
    const QList<storage::LatencySample> rounds{request(0, 0, 10.0, 40.0, 4), request(0, 1, 10.0, 30.0, 4),
                                               request(1, 0, 10.0, 60.0, 4), request(1, 1, 10.0, 50.0, 4)};
    QCOMPARE(tokensPerSecond(rounds), 160.0);
    QCOMPARE(tokensPerSecond({}), 0.0);

    RunData data = run(1, QStringLiteral("fp16"), 2, QString());
    data.latencies = rounds;
    const storage::RunSummary summary = figuresOf(data, {}, 0);
    QCOMPARE(summary.itlMs.count, 12);
    QCOMPARE(summary.tpotMs.count, 4);
    QCOMPARE(summary.ttftMs.p50, 10.0);
    QCOMPARE(summary.e2eMs.p50, 45.0);
}

void AnalysisTest::passAtOneAndItsInterval() {
    storage::CampaignSpec spec;
    const storage::RunSummary summary =
        figuresOf(run(1, QStringLiteral("int8"), 1, QStringLiteral("pppt")), spec, 4);
    QCOMPARE(summary.passAt1, 0.75);
    QCOMPARE(summary.samplesPassed, 3);
    QCOMPARE(summary.samplesTimedOut, 1);
    // Wilson 1927 by hand, z = 1.959964: centre 0.627560, half width 0.326886.
    QVERIFY(qAbs(summary.passAt1Interval.low - 0.30064) < 1e-4);
    QVERIFY(qAbs(summary.passAt1Interval.high - 0.95441) < 1e-4);
    QVERIFY(!summary.partial);
    QVERIFY(figuresOf(run(1, QStringLiteral("int8"), 1, QStringLiteral("pppt")), spec, 5).partial);
}

void AnalysisTest::manySamplesPerProblem() {
    RunData data = run(1, QStringLiteral("int8"), 1, QString());
    for (int problem = 0; problem < 2; ++problem) {
        for (int index = 0; index < 10; ++index) {
            storage::SampleVerdict sample;
            sample.taskId = QStringLiteral("T/%1").arg(problem);
            sample.sampleIndex = index;
            sample.verdict = index < (problem == 0 ? 3 : 0) ? Verdict::Passed : Verdict::Failed;
            data.samples << sample;
        }
    }
    const storage::RunSummary summary = figuresOf(data, {}, 2);
    QCOMPARE(summary.passAt1, 0.15);          // (3/10 + 0) / 2
    QCOMPARE(summary.passAtK.value(10), 0.5); // (1 + 0) / 2
    QVERIFY(!taskResults(data.samples).value(QStringLiteral("T/0")).solved());
}

void AnalysisTest::unscoredSamplesAreNotFailures() {
    const storage::RunSummary summary =
        figuresOf(run(1, QStringLiteral("int8"), 1, QStringLiteral("puuf")), {}, 4);
    QCOMPARE(summary.samplesStored, 4);
    QCOMPARE(summary.samplesScored, 2);
    QCOMPARE(summary.passAt1, 0.5);
}

void AnalysisTest::comparisonIsPairedAndCorrected() {
    // Against ten passes, a and c lose six and b one: McNemar 2/2^6 and 1. Holm doubles the smaller; b, which
    // no test could call different, is not counted.
    const CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, repeated("p", 10), 10.0),
                                          run(2, QStringLiteral("a"), 1, QStringLiteral("ffffffpppp"), 5.0),
                                          run(3, QStringLiteral("b"), 1, QStringLiteral("pppppppppf"), 20.0),
                                          run(4, QStringLiteral("c"), 1, QStringLiteral("ppppffffff"))},
                                         10);
    const storage::CampaignSummary summary = summarize(data);
    QVERIFY(!summary.runs[0].comparison);
    const storage::Comparison& a = *summary.runs[1].comparison;
    QCOMPARE(a.passDelta, -0.6);
    QCOMPARE(a.lostTasks.size(), 6);
    QCOMPARE(a.gainedTasks.size(), 0);
    QCOMPARE(a.p, 0.03125);
    QCOMPARE(a.pHolm, 0.0625);
    QVERIFY(a.verdict == storage::DifferenceVerdict::NotDistinguishable);
    QVERIFY(a.passDeltaInterval.low < -0.6 && a.passDeltaInterval.high > 0.0); // as the sentence says
    QCOMPARE(*a.tpotRatio, 0.5);
    const storage::Comparison& b = *summary.runs[2].comparison;
    QCOMPARE(b.p, 1.0);
    QCOMPARE(b.pHolm, 1.0);
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

/// `rounds` rounds at 10 ms TTFT and 100 ms TPOT, of which the last `slow` take twice as long a token.
QList<storage::LatencySample> timed(int rounds, int slow, int slots = 1) {
    QList<storage::LatencySample> requests;
    for (int round = 0; round < rounds; ++round) {
        for (int slot = 0; slot < slots; ++slot) {
            const bool isSlow = round >= rounds - slow && slot == 0;
            requests << request(round, slot, 10.0, 10.0 + (isSlow ? 200.0 : 100.0) * 4, 5);
        }
    }
    return requests;
}

storage::BudgetVerdict verdictOf(double limit, const QList<storage::LatencySample>& requests) {
    storage::Budget budget;
    budget.tpotP99Ms = limit;
    return budgetVerdict(checkBudget(budget, requests));
}

void AnalysisTest::budgetIsJudgedFromEnoughRequests() {
    using storage::BudgetVerdict;
    QVERIFY(verdictOf(150.0, timed(5, 0)) == BudgetVerdict::NotEnoughRequests);
    QVERIFY(verdictOf(150.0, timed(298, 0)) == BudgetVerdict::NotEnoughRequests);
    QVERIFY(verdictOf(150.0, timed(299, 0)) == BudgetVerdict::Inside);
    QVERIFY(verdictOf(150.0, timed(299, 1)) == BudgetVerdict::NotEnoughRequests);
    QVERIFY(verdictOf(150.0, timed(473, 1)) == BudgetVerdict::Inside);
    QVERIFY(verdictOf(150.0, timed(299, 7)) == BudgetVerdict::Outside);
    // Few requests are enough for "outside": p99 is hardly below what five of five exceed, or one of five.
    QVERIFY(verdictOf(90.0, timed(5, 0)) == BudgetVerdict::Outside);
    QVERIFY(verdictOf(150.0, timed(5, 1)) == BudgetVerdict::Outside);
    QVERIFY(verdictOf(150.0, timed(6, 1)) == BudgetVerdict::NotEnoughRequests);
    // Eight slots share their steps: 38 rounds are 304 requests and still 38 independent values.
    QVERIFY(verdictOf(150.0, timed(38, 0, 8)) == BudgetVerdict::NotEnoughRequests);
    QVERIFY(verdictOf(150.0, timed(299, 0, 8)) == BudgetVerdict::Inside);
    QVERIFY(verdictOf(150.0, timed(5, 1, 8)) == BudgetVerdict::NotEnoughRequests); // seven of eight kept it
    QVERIFY(verdictOf(150.0, {}) == BudgetVerdict::NotJudged);
    QVERIFY(budgetVerdict(checkBudget({}, timed(5, 0))) == BudgetVerdict::NotJudged); // no limits
}

void AnalysisTest::budgetInWords() {
    const auto words = [](const storage::Budget& budget, const QList<storage::LatencySample>& requests) {
        return budgetWords(checkBudget(budget, requests)).replace(QChar(0x00A0), QLatin1Char(' '));
    };
    storage::Budget budget;
    QCOMPARE(words(budget, timed(5, 0)), QString());
    budget.tpotP99Ms = 150.0;
    budget.ttftP99Ms = 450.0;
    QCOMPARE(words(budget, timed(299, 0)), QStringLiteral("inside the budget"));
    QCOMPARE(words(budget, timed(5, 5)),
             QStringLiteral("outside the budget (TPOT p99 200 ms, limit 150 ms)"));
    budget.ttftP99Ms.reset();
    QCOMPARE(words(budget, timed(5, 0)),
             QStringLiteral("not enough requests to judge the budget (TPOT p99 after 5 rounds, 299 are "
                            "needed: --latency-requests 299)"));
    QCOMPARE(words(budget, timed(400, 4)),
             QStringLiteral("not enough requests to judge the budget (TPOT p99 is between 100 ms and 200 ms "
                            "after 400 rounds, limit 150 ms)"));
    // Each request at its own pace for as many tokens as the budget names: 10 + 29 * 100.
    budget = {};
    budget.e2eTokens = 30;
    budget.e2eP99Ms = 2910.0;
    QCOMPARE(words(budget, timed(299, 0)), QStringLiteral("inside the budget"));
    budget.e2eP99Ms = 2909.0;
    QCOMPARE(words(budget, timed(299, 0)),
             QStringLiteral("outside the budget (end to end p99 of 30 tokens 2910 ms, limit 2909 ms)"));
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
    QVERIFY2(text.contains(QStringLiteral(
                 ") and takes 0.75× its time per token (6.00 ms against 8.00 ms) at batch "
                 "size 1; not enough requests to judge the budget (TPOT p99 after 1 round, "
                 "299 are needed: --latency-requests 299). Against FP16 the difference is −50.0 points "
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
                 "differs, 95 % interval −1.9 to +1.9) at batch size 1."));
    // 20 problems that agree cannot bear out a margin of 2 points: 1 - 0.05^(1/20) is 14 points.
    QCOMPARE(
        summarize(agreeing(10)).headline,
        QStringLiteral("INT8 is not distinguishable from FP16 in pass@1 on these 20 problems (no problem's "
                       "verdict differs, 95 % interval −13.9 to +13.9) at batch size 1."));
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

void AnalysisTest::headlineClaimsNothingFromNumbersThatAreNotFinite() {
    const auto with = [](int bad) {
        CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, repeated("p", 40)),
                                        run(2, QStringLiteral("int8"), 1, repeated("f", 40), 0.0, 8)},
                                       40);
        data.runs[1].metrics.insert(QLatin1String(nonfiniteSamplesMetric), bad);
        return summarize(data);
    };
    QVERIFY(headlinePair(with(0)).has_value());
    const storage::CampaignSummary summary = with(3);
    QVERIFY(!headlinePair(summary).has_value());
    QVERIFY2(summary.headline.contains(QStringLiteral("FP16")) &&
                 summary.headline.contains(QStringLiteral("solves 100")) &&
                 summary.headline.contains(QStringLiteral(" Nothing is claimed from INT8")) &&
                 summary.headline.contains(QStringLiteral("(3 of 40 samples): numbers of the model became")),
             qPrintable(summary.headline));
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

void AnalysisTest::whatCannotBeJudgedIsSaid() {
    const QString opening =
        QStringLiteral("cannot be judged here, as the canonical solution does not pass: ");
    const QString numpy =
        opening + QStringLiteral("ModuleNotFoundError: No module named 'numpy' (line %1: import)");
    CampaignData data = campaignOf({run(1, QStringLiteral("fp16"), 1, QStringLiteral("pp"))}, 5);
    QCOMPARE(unscoredSentence(data.unscored), QString());
    data.unscored = {{numpy.arg(3), 2}, {numpy.arg(9), 1}};
    const QString sentence =
        QStringLiteral("3 problems cannot be judged here: ModuleNotFoundError: No module named 'numpy'.");
    QCOMPARE(unscoredSentence(data.unscored), sentence);
    QVERIFY(summarize(data).headline.endsWith(QLatin1Char(' ') + sentence));
    data.unscored << storage::UnscoredReason{QStringLiteral("bubblewrap was not found"), 1};
    QVERIFY(unscoredSentence(data.unscored).endsWith(QStringLiteral("'numpy', and other reasons.")));
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
