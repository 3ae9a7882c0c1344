// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/progress_estimator.h"

#include <QTest>

using namespace quantscope::campaign;

namespace {

/// Batch 1: latency of two cells (10 rounds), two evals of 20 samples.
Plan plan() {
    return {{{QStringLiteral("fp16"), 1}, {QStringLiteral("int8"), 1}},
            {{Measure::Latency, 1, {0, 1}}, {Measure::Eval, 1, {0}}, {Measure::Eval, 1, {1}}}};
}

} // namespace

class ProgressEstimatorTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void nothingIsPromisedBeforeEveryMeasureWasSeen();
    void unseenStepsTakeAsLongAsTheirKind();
    void whatWasStoredBeforeCostsNoTime();
    void aLateProblemCountChangesTheTotal();
};

void ProgressEstimatorTest::nothingIsPromisedBeforeEveryMeasureWasSeen() {
    ProgressEstimator estimator(plan(), {{10, 0}, {20, 0}, {20, 0}});
    QCOMPARE(estimator.total(), 50);
    QVERIFY(!estimator.etaSeconds());
    estimator.begin(0, 0.0);
    estimator.advance(0, 5, 1.0);
    QCOMPARE(estimator.done(), 5);
    QVERIFY(!estimator.etaSeconds()); // no sample was made yet
}

void ProgressEstimatorTest::unseenStepsTakeAsLongAsTheirKind() {
    ProgressEstimator estimator(plan(), {{10, 0}, {20, 0}, {20, 0}});
    estimator.begin(0, 0.0);
    estimator.advance(0, 10, 5.0);
    estimator.close(0, 5.0);
    estimator.begin(1, 5.0);
    estimator.advance(1, 10, 10.0); // half a second a sample: 10 left here, 20 in the next step
    QVERIFY(estimator.etaSeconds());
    QCOMPARE(*estimator.etaSeconds(), 15.0);
    estimator.advance(1, 20, 15.0);
    estimator.close(1, 15.0);
    QCOMPARE(*estimator.etaSeconds(), 10.0);
    estimator.begin(2, 15.0);
    estimator.advance(2, 5, 16.0); // its own speed counts as soon as there is one
    QCOMPARE(*estimator.etaSeconds(), 3.0);
    estimator.close(2, 17.0);
    QCOMPARE(estimator.done(), estimator.total());
    QCOMPARE(*estimator.etaSeconds(), 0.0);
}

void ProgressEstimatorTest::whatWasStoredBeforeCostsNoTime() {
    ProgressEstimator estimator(plan(), {{10, 10}, {20, 18}, {20, 0}});
    QCOMPARE(estimator.done(), 28);
    estimator.begin(1, 100.0);
    estimator.advance(1, 19, 102.0);
    QCOMPARE(*estimator.etaSeconds(), 2.0 + 20 * 2.0);
}

void ProgressEstimatorTest::aLateProblemCountChangesTheTotal() {
    ProgressEstimator estimator(plan(), {{10, 0}, {164, 0}, {164, 0}});
    estimator.setTotal(1, 8);
    estimator.setTotal(2, 8);
    QCOMPARE(estimator.total(), 26);
}

QTEST_GUILESS_MAIN(ProgressEstimatorTest)
#include "tst_progress_estimator.moc"
