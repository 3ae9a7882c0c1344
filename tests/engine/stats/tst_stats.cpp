// SPDX-License-Identifier: Apache-2.0
// Reference values: scipy 1.17.1, statsmodels 0.15.0 and numpy 2.4.6; the call stands beside each.
#include "engine/stats/bootstrap.h"
#include "engine/stats/difference.h"
#include "engine/stats/holm.h"
#include "engine/stats/mcnemar.h"
#include "engine/stats/percentile.h"
#include "engine/stats/wilson.h"

#include <QtTest>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

using namespace quantscope::stats;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

bool near(double value, double expected, double tolerance = 1e-12) {
    if (std::abs(value - expected) <= tolerance)
        return true;
    qWarning("%.17g, expected %.17g within %g", value, expected, tolerance);
    return false;
}

/// One run's passes beside its baseline's: `lost` and `gained` discordant problems among `n`.
struct Paired {
    std::vector<double> baseline;
    std::vector<double> other;
};

Paired paired(int n, int both, int lost, int gained) {
    Paired p{std::vector<double>(n), std::vector<double>(n)};
    std::fill_n(p.baseline.begin(), both + lost, 1.0);
    std::fill_n(p.other.begin(), both, 1.0);
    std::fill_n(p.other.begin() + both + lost, gained, 1.0);
    return p;
}

} // namespace

class TestStats : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void wilson_data();
    void wilson();
    void wilsonWithoutKnowledgeIsEverything();
    void normalQuantiles();
    void mcnemar_data();
    void mcnemar();
    void bootstrapAgreesWithBinomialTails();
    void bootstrapIsDeterministicAndPaired();
    void bootstrapRefusesUnpairedInput();
    void holm();
    void percentiles();
    void percentilesOfNothing();
    void differences_data();
    void differences();
};

void TestStats::wilson_data() {
    QTest::addColumn<int>("passed");
    QTest::addColumn<int>("n");
    QTest::addColumn<double>("low");
    QTest::addColumn<double>("high");
    // statsmodels.stats.proportion.proportion_confint(passed, n, method="wilson")
    QTest::newRow("Llama-2-7B's 12.8 %") << 21 << 164 << 0.08529869321546449 << 0.18782487912947557;
    QTest::newRow("none") << 0 << 164 << 0.0 << 0.022887425119427592;
    QTest::newRow("all") << 164 << 164 << 0.9771125748805723 << 1.0;
    QTest::newRow("one of ten") << 1 << 10 << 0.017876213095072924 << 0.40415002679523854;
    // Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3: 0.2553 to 0.3662
    QTest::newRow("Newcombe's example") << 81 << 263 << 0.2552885198782742 << 0.36620957698280004;
}

void TestStats::wilson() {
    QFETCH(int, passed);
    QFETCH(int, n);
    QFETCH(double, low);
    QFETCH(double, high);
    const Interval interval = wilson_interval(passed, n);
    QVERIFY(near(interval.low, low));
    QVERIFY(near(interval.high, high));
    // scipy.stats.binomtest(21, 164).proportion_ci(0.99, method="wilson")
    const Interval wider = wilson_interval(21, 164, 0.99);
    QVERIFY(near(wider.low, 0.07505333949846331));
    QVERIFY(near(wider.high, 0.2099698156111237));
}

void TestStats::wilsonWithoutKnowledgeIsEverything() {
    for (const auto& [passed, n] : {std::pair{0, 0}, {3, 2}, {-1, 5}, {1, -1}}) {
        const Interval interval = wilson_interval(passed, n);
        QCOMPARE(interval.low, 0.0);
        QCOMPARE(interval.high, 1.0);
    }
}

void TestStats::normalQuantiles() {
    // scipy.stats.norm.ppf(0.5 + confidence / 2)
    QVERIFY(near(normal_quantile_two_sided(0.95), 1.959963984540054));
    QVERIFY(near(normal_quantile_two_sided(0.99), 2.5758293035489004));
    QVERIFY(near(normal_quantile_two_sided(0.9), 1.6448536269514722));
    QVERIFY(near(normal_quantile_two_sided(0.5), 0.6744897501960817));
    QVERIFY(std::isfinite(normal_quantile_two_sided(1.0)));
}

void TestStats::mcnemar_data() {
    QTest::addColumn<int>("lost");
    QTest::addColumn<int>("gained");
    QTest::addColumn<double>("p");
    // scipy.stats.binomtest(min(lost, gained), lost + gained, 0.5).pvalue
    QTest::newRow("none discordant") << 0 << 0 << 1.0;
    QTest::newRow("one") << 1 << 0 << 1.0;
    QTest::newRow("balanced") << 7 << 7 << 1.0;
    QTest::newRow("5:1") << 5 << 1 << 0.21875;
    QTest::newRow("10:2") << 10 << 2 << 0.03857421875;
    QTest::newRow("6:0, the fewest that are significant") << 0 << 6 << 0.03125;
    QTest::newRow("25:4") << 25 << 4 << 0.00010371580719947815;
    QTest::newRow("1100 pairs, 2^-1100 underflows") << 600 << 500 << 0.0028195449914364284;
    QTest::newRow("5800 pairs") << 3000 << 2800 << 0.00896943600119357;
    QTest::newRow("negative counts as none") << -3 << 6 << 0.03125;
}

void TestStats::mcnemar() {
    QFETCH(int, lost);
    QFETCH(int, gained);
    QFETCH(double, p);
    QVERIFY(near(mcnemar_exact(lost, gained), p, 1e-11 + 1e-9 * p));
    QCOMPARE(mcnemar_exact(gained, lost), mcnemar_exact(lost, gained));
}

void TestStats::bootstrapAgreesWithBinomialTails() {
    // numpy: 200,000 resamples of 9 x -1, 3 x +1, 152 x 0, np.percentile(..., [2.5, 97.5]) * 164 = [-13, 1]
    const Paired p = paired(164, 12, 9, 3);
    const auto interval = paired_bootstrap_interval(p.baseline, p.other);
    QVERIFY(interval.has_value());
    QVERIFY(near(interval->low * 164, -13.0, 1e-9));
    QVERIFY(near(interval->high * 164, 1.0, 1e-9));
    const auto narrower = paired_bootstrap_interval(p.baseline, p.other, {.confidence = 0.5});
    QVERIFY(narrower->low > interval->low && narrower->high < interval->high);
}

void TestStats::bootstrapIsDeterministicAndPaired() {
    const Paired p = paired(164, 40, 20, 6);
    const auto first = paired_bootstrap_interval(p.baseline, p.other);
    const auto again = paired_bootstrap_interval(p.baseline, p.other);
    QCOMPARE(first->low, again->low);
    QCOMPARE(first->high, again->high);
    const auto swapped = paired_bootstrap_interval(p.other, p.baseline);
    QCOMPARE(swapped->low, -first->high);
    QCOMPARE(swapped->high, -first->low);
    // Identical runs differ by nothing in every resample; unpaired resampling would give a wide interval.
    const auto same = paired_bootstrap_interval(p.other, p.other);
    QCOMPARE(same->low, 0.0);
    QCOMPARE(same->high, 0.0);
    const auto seeded = paired_bootstrap_interval(p.baseline, p.other, {.resamples = 200, .seed = 7});
    const auto other_seed = paired_bootstrap_interval(p.baseline, p.other, {.resamples = 200, .seed = 8});
    QVERIFY(seeded->low != other_seed->low || seeded->high != other_seed->high);
}

void TestStats::bootstrapRefusesUnpairedInput() {
    const std::vector<double> two = {0, 1};
    const std::vector<double> three = {0, 1, 1};
    QVERIFY(!paired_bootstrap_interval(two, three));
    QVERIFY(!paired_bootstrap_interval({}, {}));
    QVERIFY(!paired_bootstrap_interval(two, two, {.resamples = 0}));
}

void TestStats::holm() {
    // statsmodels.stats.multitest.multipletests(p, method="holm")[1]
    const auto four = holm_adjust(std::vector{0.01, 0.04, 0.03, 0.005});
    const std::vector expected_four = {0.03, 0.06, 0.06, 0.02};
    const auto five = holm_adjust(std::vector{0.5, 0.6, 0.0001, 0.02, 0.02});
    const std::vector expected_five = {1.0, 1.0, 0.0005, 0.08, 0.08};
    QCOMPARE(four.size(), expected_four.size());
    QCOMPARE(five.size(), expected_five.size());
    for (std::size_t i = 0; i < four.size(); ++i)
        QVERIFY(near(four[i], expected_four[i]));
    for (std::size_t i = 0; i < five.size(); ++i)
        QVERIFY(near(five[i], expected_five[i]));
    QVERIFY(holm_adjust({}).empty());
    QCOMPARE(holm_adjust(std::vector{0.2}).front(), 0.2);
}

void TestStats::percentiles() {
    // numpy.percentile([3.5, 1, 9, 4, 4, 12.25, 7], p)
    const std::vector values = {3.5, 1.0, 9.0, 4.0, 4.0, 12.25, 7.0};
    const std::vector<std::pair<double, double>> expected = {
        {0, 1.0}, {10, 2.5}, {50, 4.0}, {90, 10.3}, {99, 12.054999999999998}, {100, 12.25}};
    for (const auto& [percent, value] : expected)
        QVERIFY(near(*percentile(values, percent), value));
    QCOMPARE(*percentile(values, 150), 12.25);
    QCOMPARE(*percentile(std::vector{5.0}, 99), 5.0);
}

void TestStats::percentilesOfNothing() {
    QVERIFY(!percentile({}, 50));
    QVERIFY(!percentile(std::vector{1.0, not_a_number}, 50));
    QVERIFY(!percentile(std::vector{1.0}, not_a_number));
}

void TestStats::differences_data() {
    QTest::addColumn<double>("low");
    QTest::addColumn<double>("high");
    QTest::addColumn<double>("margin");
    QTest::addColumn<double>("p");
    QTest::addColumn<QString>("sentence");
    const QString undecided = QStringLiteral("not distinguishable on these problems");
    QTest::newRow("better") << 0.01 << 0.08 << 0.02 << 0.01 << QStringLiteral("better");
    QTest::newRow("worse") << -0.30 << -0.12 << 0.02 << 0.0001 << QStringLiteral("worse");
    QTest::newRow("p not small enough after Holm") << -0.08 << -0.01 << 0.02 << 0.06 << undecided;
    QTest::newRow("p at alpha") << -0.08 << -0.01 << 0.02 << 0.05 << undecided;
    QTest::newRow("interval reaches 0") << -0.08 << 0.0 << 0.02 << 0.01 << undecided;
    QTest::newRow("inside") << -0.018 << 0.02 << 0.02 << 1.0
                            << QStringLiteral("equivalent within the margin of 2 points");
    QTest::newRow("fraction of a point")
        << -0.001 << 0.002 << 0.025 << 1.0 << QStringLiteral("equivalent within the margin of 2.5 points");
    QTest::newRow("one point") << -0.001 << 0.002 << 0.01 << 1.0
                               << QStringLiteral("equivalent within the margin of 1 point");
    QTest::newRow("reaches over the margin") << -0.021 << 0.01 << 0.02 << 1.0 << undecided;
    QTest::newRow("a proven loss inside the margin stays a loss")
        << -0.015 << -0.005 << 0.02 << 0.001 << QStringLiteral("worse");
    QTest::newRow("NaN") << not_a_number << not_a_number << 0.02 << not_a_number << undecided;
    QTest::newRow("NaN p") << 0.1 << 0.2 << 0.02 << not_a_number << undecided;
}

void TestStats::differences() {
    QFETCH(double, low);
    QFETCH(double, high);
    QFETCH(double, margin);
    QFETCH(double, p);
    QFETCH(QString, sentence);
    QCOMPARE(QString::fromStdString(verdict_sentence({low, high}, margin, p)), sentence);
}

QTEST_APPLESS_MAIN(TestStats)
#include "tst_stats.moc"
