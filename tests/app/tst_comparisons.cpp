// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of a difference agrees with the interval beside it, whatever else is compared.
#include "tests/app/analysis_fixture.h"
#include "ui/numbers/run_numbers.h"

#include <QTest>

#include <cmath>

using namespace quantscope;
using namespace quantscope::analysis;
using namespace quantscope::analysis::test;
using storage::Comparison;
using storage::DifferenceVerdict;

namespace {

const QString fp16 = QStringLiteral("fp16");

/// Verdicts of 40 problems of which the baseline below passes the first 30: loses `lost` of those, gains
/// `gained` of the others.
QString against30(int lost, int gained) {
    return repeated("f", lost) + repeated("p", 30 - lost) + repeated("p", gained) +
           repeated("f", 10 - gained);
}

const QString baseline30 = against30(0, 0);

Comparison of(const storage::CampaignSummary& summary, storage::Id run) {
    return *ui::findRun(summary, run)->comparison;
}

bool leavesOutZero(const Comparison& comparison) {
    return comparison.passDeltaInterval.low > 0.0 || comparison.passDeltaInterval.high < 0.0;
}

} // namespace

class ComparisonsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void theIntervalBesideAVerdictIsItsReason();
    void theSameVerdictsAtAnotherBatchSizeAreOneComparison();
    void aBatchSizeThatStreamsInChangesNothing();
    void otherVerdictsAtAnotherBatchSizeAreAComparisonOfTheirOwn();
    void importedSamplesAreComparisonsOfTheirOwn();
    void whatCannotDifferIsNotCounted();
    void partialRunsAreComparedOnCommonProblems();
    void severalSamplesHaveOneMethodToo();
    void rememberedFiguresAreThoseComputedAnew();
};

/// Found as "not distinguishable ... interval -15.6 to -1.3": p alone is below 0.05, after Holm it is not.
void ComparisonsTest::theIntervalBesideAVerdictIsItsReason() {
    const CampaignData alone = campaignOf(
        {run(1, fp16, 1, baseline30), run(2, QStringLiteral("w4a4-rtn"), 1, against30(9, 1), 0.0, 4)}, 40);
    const Comparison single = of(summarize(alone), 2);
    QVERIFY(single.p < 0.05);
    QCOMPARE(single.pHolm, single.p);
    QVERIFY(single.verdict == DifferenceVerdict::Worse);
    QVERIFY(leavesOutZero(single));

    CampaignData data = alone;
    data.runs << run(3, QStringLiteral("int8"), 1, against30(4, 3), 0.0, 8)
              << run(4, QStringLiteral("w4a8"), 1, against30(5, 3), 0.0, 6);
    const storage::CampaignSummary summary = summarize(data);
    const Comparison corrected = of(summary, 2);
    QVERIFY(corrected.pHolm > 0.05);
    QVERIFY(corrected.verdict == DifferenceVerdict::NotDistinguishable);
    QVERIFY(!leavesOutZero(corrected));
    QVERIFY(corrected.comparisons >= 3);
    for (const storage::RunSummary& one : summary.runs) {
        if (one.comparison) {
            QCOMPARE(leavesOutZero(*one.comparison), one.comparison->pHolm < 0.05);
        }
    }
}

/// Found as p of W4A4 naive rising from 0.26 to 0.47 when batch 8 joined.
void ComparisonsTest::theSameVerdictsAtAnotherBatchSizeAreOneComparison() {
    QList<RunData> runs{run(1, fp16, 1, baseline30),
                        run(2, QStringLiteral("int8"), 1, against30(1, 0), 0.0, 8),
                        run(3, QStringLiteral("w4a4-rtn"), 1, against30(8, 2), 0.0, 4)};
    const storage::CampaignSummary before = summarize(campaignOf(runs, 40));
    for (const int batch : {8, 32}) {
        runs << run(batch + 1, fp16, batch, baseline30)
             << run(batch + 2, QStringLiteral("int8"), batch, against30(1, 0), 0.0, 8)
             << run(batch + 3, QStringLiteral("w4a4-rtn"), batch, against30(8, 2), 0.0, 4);
    }
    const storage::CampaignSummary after = summarize(campaignOf(runs, 40));
    QCOMPARE(of(after, 3).comparisons, of(before, 3).comparisons);
    for (const storage::Id one : {3, 11, 35}) {
        QCOMPARE(of(after, one).pHolm, of(before, 3).pHolm);
        QCOMPARE(of(after, one).passDeltaInterval.low, of(before, 3).passDeltaInterval.low);
        QCOMPARE(of(after, one).passDeltaInterval.high, of(before, 3).passDeltaInterval.high);
        QVERIFY(of(after, one).verdict == of(before, 3).verdict);
    }
    QCOMPARE(after.headline, before.headline);
}

void ComparisonsTest::aBatchSizeThatStreamsInChangesNothing() {
    const QList<RunData> finished{run(1, fp16, 1, baseline30),
                                  run(3, QStringLiteral("w4a4-rtn"), 1, against30(9, 1), 0.0, 4)};
    const Comparison before = of(summarize(campaignOf(finished, 40)), 3);
    for (int done = 0; done <= 40; ++done) {
        QList<RunData> runs = finished;
        runs << run(4, fp16, 8, baseline30.left(done))
             << run(6, QStringLiteral("w4a4-rtn"), 8, against30(9, 1).left(done), 0.0, 4);
        const storage::CampaignSummary summary = summarize(campaignOf(runs, 40));
        QCOMPARE(of(summary, 3).pHolm, before.pHolm);
        const Comparison partial = of(summary, 6);
        QCOMPARE(partial.problemsCompared, done);
        if (done > 0) {
            QCOMPARE(leavesOutZero(partial), partial.pHolm < 0.05);
        }
    }
}

void ComparisonsTest::otherVerdictsAtAnotherBatchSizeAreAComparisonOfTheirOwn() {
    const storage::CampaignSummary summary = summarize(
        campaignOf({run(1, fp16, 1, baseline30), run(2, QStringLiteral("int8"), 1, against30(6, 0), 0.0, 8),
                    run(3, fp16, 8, baseline30), run(4, QStringLiteral("int8"), 8, against30(7, 0), 0.0, 8)},
                   40));
    QCOMPARE(of(summary, 2).comparisons, 2);
    QCOMPARE(of(summary, 4).pHolm, 2 * of(summary, 4).p);
}

void ComparisonsTest::importedSamplesAreComparisonsOfTheirOwn() {
    QList<RunData> runs{
        run(1, fp16, 1, baseline30), run(2, QStringLiteral("int8"), 1, against30(6, 0), 0.0, 8),
        run(3, fp16, 8, baseline30), run(4, QStringLiteral("int8"), 8, against30(6, 0), 0.0, 8)};
    QCOMPARE(of(summarize(campaignOf(runs, 40)), 2).comparisons, 1);
    runs[3].run.importedFrom = QStringLiteral("int8.jsonl");
    QCOMPARE(of(summarize(campaignOf(runs, 40)), 2).comparisons, 2);
}

/// INT8 without a flip: p is 1 whatever it is divided by, so nobody pays for it, and its interval is that of
/// 95 %.
void ComparisonsTest::whatCannotDifferIsNotCounted() {
    const CampaignData data = campaignOf(
        {run(1, fp16, 1, repeated("pf", 82)), run(2, QStringLiteral("int8"), 1, repeated("pf", 82), 0.0, 8),
         run(3, QStringLiteral("a"), 1, repeated("ff", 6) + repeated("pf", 76)),
         run(4, QStringLiteral("b"), 1, repeated("ff", 5) + repeated("pf", 77))},
        164);
    const storage::CampaignSummary summary = summarize(data);
    QVERIFY(of(summary, 2).verdict == DifferenceVerdict::Equivalent);
    QCOMPARE(of(summary, 2).comparisons, 1);
    QVERIFY(qAbs(of(summary, 2).passDeltaInterval.high - (1.0 - std::pow(0.05, 1.0 / 164))) < 1e-12);
    QCOMPARE(of(summary, 3).comparisons, 1); // six flips: the only one that a test can decide
    QCOMPARE(of(summary, 3).pHolm, of(summary, 3).p);
    QVERIFY(of(summary, 3).verdict == DifferenceVerdict::Worse);
    QVERIFY(of(summary, 4).pHolm > 0.05 && !leavesOutZero(of(summary, 4)));
}

void ComparisonsTest::partialRunsAreComparedOnCommonProblems() {
    // 20 of 40 problems: of those the baseline passes 20, the run 15; its pass@1 of 75 % is that of 40, too.
    const storage::CampaignSummary summary = summarize(campaignOf(
        {run(1, fp16, 1, baseline30), run(2, QStringLiteral("int8"), 1, against30(5, 0).left(20), 0.0, 8)},
        40));
    QCOMPARE(summary.runs[0].passAt1, 0.75);
    QCOMPARE(summary.runs[1].passAt1, 0.75);
    QCOMPARE(of(summary, 2).problemsCompared, 20);
    QCOMPARE(of(summary, 2).passDelta, -0.25);
    QVERIFY(summary.headline.contains(QStringLiteral("On the 20 of 40 problems that both have finished")));
}

void ComparisonsTest::severalSamplesHaveOneMethodToo() {
    const auto sampled = [](storage::Id id, const QString& scheme, int passesOfTen) {
        RunData data = run(id, scheme, 1, QString(), 0.0, 8);
        for (int problem = 0; problem < 40; ++problem) {
            for (int index = 0; index < 10; ++index) {
                const bool passed = index < (problem % 2 == 0 ? passesOfTen : 2);
                data.samples << storage::SampleVerdict{data.samples.size() + 1,
                                                       QStringLiteral("T/%1").arg(problem), index,
                                                       passed ? Verdict::Passed : Verdict::Failed};
            }
        }
        return data;
    };
    for (int passes = 0; passes <= 10; ++passes) {
        CampaignData data = campaignOf({sampled(1, fp16, 5), sampled(2, QStringLiteral("int8"), passes),
                                        sampled(3, QStringLiteral("a"), 6)},
                                       40);
        data.campaign.spec.sampling.samplesPerProblem = 10;
        const Comparison comparison = of(summarize(data), 2);
        QVERIFY(qAbs(comparison.passDelta - (passes - 5) / 20.0) < 1e-12);
        QCOMPARE(leavesOutZero(comparison), comparison.pHolm < 0.05);
        QVERIFY(comparison.passDeltaInterval.high - comparison.passDeltaInterval.low > 0.05);
        QVERIFY(comparison.test ==
                (passes == 5 ? storage::PairedTest::ExactMcNemar : storage::PairedTest::PairedT));
    }
}

void ComparisonsTest::rememberedFiguresAreThoseComputedAnew() {
    Summarizer remembering;
    QList<RunData> runs{run(1, fp16, 1, QString(), 10.0),
                        run(2, QStringLiteral("int8"), 1, QString(), 8.0, 8),
                        run(3, QStringLiteral("w4a4-rtn"), 1, QString(), 5.0, 4)};
    const QStringList verdicts{baseline30, against30(1, 0), against30(8, 2)};
    for (int done = 0; done <= 40; ++done) {
        for (int i = 0; i < runs.size(); ++i) {
            if (done % (i + 1) == 0) { // they go on at different paces
                runs[i].samples = samples(verdicts[i].left(done));
                ++runs[i].revision;
            }
        }
        const CampaignData data = campaignOf(runs, 40);
        const storage::CampaignSummary kept = remembering.summarize(data);
        const storage::CampaignSummary anew = summarize(data);
        QCOMPARE(kept.headline, anew.headline);
        for (int i = 0; i < runs.size(); ++i) {
            QCOMPARE(kept.runs[i].passAt1, anew.runs[i].passAt1);
            QCOMPARE(kept.runs[i].samplesStored, anew.runs[i].samplesStored);
            QCOMPARE(kept.runs[i].comparison.has_value(), anew.runs[i].comparison.has_value());
            if (anew.runs[i].comparison) {
                QCOMPARE(kept.runs[i].comparison->pHolm, anew.runs[i].comparison->pHolm);
                QCOMPARE(kept.runs[i].comparison->passDeltaInterval.low,
                         anew.runs[i].comparison->passDeltaInterval.low);
            }
        }
    }
}

QTEST_GUILESS_MAIN(ComparisonsTest)
#include "tst_comparisons.moc"
