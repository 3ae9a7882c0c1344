// SPDX-License-Identifier: Apache-2.0
// Reference values: scipy 1.17.1, statsmodels 0.15.0 and numpy 2.4.6; the call stands beside each.
#include "engine/stats/beta.h"
#include "engine/stats/difference.h"
#include "engine/stats/holm.h"
#include "engine/stats/mcnemar.h"
#include "engine/stats/paired_difference.h"
#include "engine/stats/percentile.h"
#include "engine/stats/quantile_limits.h"
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
    void incompleteBeta();
    void intervalsOfTheDifference_data();
    void intervalsOfTheDifference();
    void withoutADifferenceTheIntervalHasWidth();
    void intervalAndTestNeverContradict();
    void severalSamplesAProblem();
    void refusesUnpairedInput();
    void holmAdjusts();
    void holmLevelsDecideAsItsPValues();
    void quantileLimits_data();
    void quantileLimits();
    void quantileLimitsOfGroups();
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

void TestStats::incompleteBeta() {
    // scipy.special.betainc(a, b, x)
    QVERIFY(near(regularized_beta(0.018, 1, 164), 0.9491508149384777));
    QVERIFY(near(regularized_beta(0.12, 26, 139), 0.08465401434335224));
    QVERIFY(near(regularized_beta(0.99, 299, 1), 0.04953625663766233));
    QVERIFY(near(regularized_beta(0.3, 2.5, 0.5), 0.018927124071945658));
    QVERIFY(near(regularized_beta(0.51, 5000, 5000), 0.9772579676754254, 1e-10));
    QVERIFY(near(regularized_beta(0.25, 0.5, 0.5), 1.0 / 3.0));
    QCOMPARE(regularized_beta(0.0, 2, 3), 0.0);
    QCOMPARE(regularized_beta(1.0, 2, 3), 1.0);
    QVERIFY(std::isnan(regularized_beta(0.5, 0, 3)));
    QCOMPARE(beta_cdf(0.0, 0, 3), 1.0);
    QCOMPARE(beta_cdf(0.999, 3, 0), 0.0);
    // scipy.stats.t.ppf(0.975, df), 2 * scipy.stats.t.sf(2, df)
    QVERIFY(near(student_t_two_sided(0.05, 5), 2.57058184, 1e-8));
    QVERIFY(near(student_t_two_sided(0.05, 165), 1.97444563, 1e-8));
    QVERIFY(near(student_t_p(2.0, 5), 0.10193948, 1e-8));
    QVERIFY(near(student_t_p(-2.0, 165), 0.04714096, 1e-8));
}

PairedDifference differenceOf(int n, int lost, int gained) {
    const Paired pairs = paired(n, 0, lost, gained);
    return *paired_difference(pairs.baseline, pairs.other);
}

void TestStats::intervalsOfTheDifference_data() {
    QTest::addColumn<int>("n");
    QTest::addColumn<int>("lost");
    QTest::addColumn<int>("gained");
    QTest::addColumn<double>("alpha");
    QTest::addColumn<double>("low");
    QTest::addColumn<double>("high");
    // The melded confidence distributions by scipy.integrate.quad and scipy.optimize.brentq
    const auto add = [](int n, int lost, int gained, double alpha, double low, double high) {
        QTest::addRow("%d: -%d +%d at %g", n, lost, gained, alpha)
            << n << lost << gained << alpha << low << high;
    };
    add(164, 1, 0, 0.05, -0.0335036771033872, 0.018100835987050156);
    add(164, 6, 0, 0.05, -0.07792731649885878, -0.002366513533641237);
    add(164, 5, 0, 0.05, -0.06971148537026564, 0.0013597061712190383);
    add(164, 9, 3, 0.05, -0.08741696208322254, 0.01093765564616378);
    add(164, 25, 4, 0.05, -0.1973629818342251, -0.05868633419977446);
    add(164, 25, 4, 0.0125, -0.21652887343414925, -0.04297565826113881);
    add(164, 14, 3, 0.025, -0.13317963567200702, -0.005924783895120943);
    add(1000, 120, 60, 0.05, -0.08716643869070202, -0.03280926314975041);
    add(40, 10, 2, 0.05, -0.38007369477586617, -0.008657112747230467);
    add(40, 20, 20, 0.05, -0.32396437252553084, 0.32396437252553084);
    add(40, 40, 0, 0.05, -1.0, -0.7965500269293131);
    add(12, 1, 0, 0.05, -0.384796165150944, 0.22092219194555604);
}

void TestStats::intervalsOfTheDifference() {
    QFETCH(int, n);
    QFETCH(int, lost);
    QFETCH(int, gained);
    QFETCH(double, alpha);
    QFETCH(double, low);
    QFETCH(double, high);
    const Interval interval = differenceOf(n, lost, gained).interval(alpha);
    QVERIFY(near(interval.low, low, 1e-9));
    QVERIFY(near(interval.high, high, 1e-9));
    const Interval swapped = differenceOf(n, gained, lost).interval(alpha);
    QVERIFY(near(swapped.low, -interval.high, 1e-12));
    QVERIFY(near(swapped.high, -interval.low, 1e-12));
}

void TestStats::withoutADifferenceTheIntervalHasWidth() {
    for (const int n : {1, 40, 149, 164}) {
        const PairedDifference none = differenceOf(n, 0, 0);
        QCOMPARE(none.p(), 1.0);
        const double bound = 1.0 - std::pow(0.05, 1.0 / n);
        QVERIFY(near(none.interval(0.05).low, -bound));
        QVERIFY(near(none.interval(0.05).high, bound));
    }
    // Equivalence within 2 points needs 149 problems, as stated in ARCHITECTURE.md.
    QVERIFY(judge_difference(differenceOf(149, 0, 0).interval(0.05), 0.02) == Difference::equivalent);
    QVERIFY(judge_difference(differenceOf(148, 0, 0).interval(0.05), 0.02) ==
            Difference::not_distinguishable);
    // One lost problem: the interval grows on its side and does not shrink on the other.
    const Interval one = differenceOf(164, 1, 0).interval(0.05);
    const Interval none = differenceOf(164, 0, 0).interval(0.05);
    QVERIFY(one.low < none.low && one.high > none.high - 1e-9);
}

void TestStats::intervalAndTestNeverContradict() {
    for (const int n : {12, 40, 164})
        for (int lost = 0; lost <= std::min(n, 24); ++lost)
            for (int gained = 0; lost + gained <= n && gained <= 8; ++gained)
                for (const double alpha : {0.05, 0.05 / 2, 0.05 / 3, 0.05 / 8}) {
                    const PairedDifference difference = differenceOf(n, lost, gained);
                    const Interval interval = difference.interval(alpha);
                    const bool excludes_zero = interval.low > 0.0 || interval.high < 0.0;
                    QVERIFY2(excludes_zero == (difference.p() < alpha),
                             qPrintable(QStringLiteral("%1: -%2 +%3").arg(n).arg(lost).arg(gained)));
                    QVERIFY(interval.high - interval.low > 0.0);
                    QVERIFY(interval.low <= difference.mean && difference.mean <= interval.high);
                }
}

void TestStats::severalSamplesAProblem() {
    // 30 problems of ten samples: scipy.stats.ttest_1samp of the differences with -1 and 1 added
    std::vector<double> baseline(30, 0.7);
    std::vector<double> other = baseline;
    const std::vector<double> differences = {-0.4, -0.2, 0.3, -0.5, -0.1, -0.3, 0.1, -0.6, -0.2, -0.2};
    for (std::size_t i = 0; i < differences.size(); ++i)
        other[20 + i] += differences[i];
    const auto difference = paired_difference(baseline, other);
    QVERIFY(difference->test == PairedTest::paired_t);
    QCOMPARE(difference->lost, 8);
    QCOMPARE(difference->gained, 2);
    QVERIFY(near(difference->mean, -0.07));
    QVERIFY(near(difference->p(), 0.23809697549642173, 1e-9));
    QVERIFY(near(difference->interval(0.05).low, -0.17688593502447653, 1e-9));
    QVERIFY(near(difference->interval(0.05).high, 0.04563593502447652, 1e-9));
    // One sample of one problem differs: no narrower than what a problem that was not drawn might do.
    other = baseline;
    other[0] -= 0.1;
    const auto slight = paired_difference(baseline, other);
    const Interval interval = slight->interval(0.05);
    QVERIFY(interval.high - interval.low >= 2.0 * (1.0 - std::pow(0.05, 1.0 / 30)) - 1e-12);
    // And the same agreement of test and interval, around the level.
    for (int worse = 0; worse <= 30; ++worse) {
        other = baseline;
        for (int i = 0; i < worse; ++i)
            other[i] -= 0.3;
        const auto pair = paired_difference(baseline, other);
        for (const double alpha : {0.05, 0.05 / 3})
            QCOMPARE(pair->interval(alpha).high < 0.0, pair->p() < alpha);
    }
}

void TestStats::refusesUnpairedInput() {
    const std::vector<double> two = {0, 1};
    const std::vector<double> three = {0, 1, 1};
    QVERIFY(!paired_difference(two, three));
    QVERIFY(!paired_difference({}, {}));
}

void TestStats::quantileLimits_data() {
    QTest::addColumn<int>("n");
    QTest::addColumn<double>("percent");
    QTest::addColumn<int>("low"); // rank, 0: none
    QTest::addColumn<int>("high");
    // scipy.stats.binom: the largest r with sf(r - 1, n, p) >= 0.95, the smallest s with cdf(s - 1, n, p) >=
    // 0.95
    QTest::newRow("one tells what p99 is above") << 1 << 99.0 << 1 << 0;
    QTest::newRow("five") << 5 << 99.0 << 5 << 0;
    QTest::newRow("six") << 6 << 99.0 << 5 << 0;
    QTest::newRow("too few by one") << 298 << 99.0 << 292 << 0;
    QTest::newRow("enough") << 299 << 99.0 << 293 << 299;
    QTest::newRow("one may be above") << 473 << 99.0 << 464 << 472;
    QTest::newRow("a thousand") << 1000 << 99.0 << 985 << 996;
    QTest::newRow("median of 30") << 30 << 50.0 << 11 << 20;
    QTest::newRow("p90 of 28") << 28 << 90.0 << 22 << 0;
    QTest::newRow("p90 of 29") << 29 << 90.0 << 23 << 29;
}

void TestStats::quantileLimits() {
    QFETCH(int, n);
    QFETCH(double, percent);
    QFETCH(int, low);
    QFETCH(int, high);
    std::vector<double> ranks(n);
    std::iota(ranks.begin(), ranks.end(), 1.0);
    const QuantileLimits limits = quantile_limits(ranks, ranks, percent);
    QCOMPARE(limits.low.value_or(0.0), double(low));
    QCOMPARE(limits.high.value_or(0.0), double(high));
    QCOMPARE(values_for_upper_limit(99.0), 299);
    QCOMPARE(values_for_upper_limit(90.0), 29);
    QCOMPARE(values_for_upper_limit(50.0), 5);
}

void TestStats::quantileLimitsOfGroups() {
    const std::vector<double> smallest = {1, 2, 3};
    const std::vector<double> largest = {10, 20, 30};
    const QuantileLimits limits = quantile_limits(smallest, largest, 99.0);
    QCOMPARE(*limits.low, 3.0);
    QVERIFY(!limits.high);
    QVERIFY(!quantile_limits({}, {}, 99.0).low);
    QVERIFY(!quantile_limits(smallest, {}, 99.0).low);
}

void TestStats::holmAdjusts() {
    // statsmodels.stats.multitest.multipletests(p, method="holm")[1]
    const auto four = holm(std::vector{0.01, 0.04, 0.03, 0.005}, 0.05);
    const std::vector expected_four = {0.03, 0.06, 0.06, 0.02};
    const auto five = holm(std::vector{0.5, 0.6, 0.0001, 0.02, 0.02}, 0.05);
    const std::vector expected_five = {1.0, 1.0, 0.0005, 0.08, 0.08};
    QCOMPARE(four.size(), expected_four.size());
    QCOMPARE(five.size(), expected_five.size());
    for (std::size_t i = 0; i < four.size(); ++i)
        QVERIFY(near(four[i].adjusted_p, expected_four[i]));
    for (std::size_t i = 0; i < five.size(); ++i)
        QVERIFY(near(five[i].adjusted_p, expected_five[i]));
    QVERIFY(holm({}, 0.05).empty());
    QCOMPARE(holm(std::vector{0.2}, 0.05).front().adjusted_p, 0.2);
    // 0.005 and 0.01 are rejected at 0.05/4 and 0.05/3; the two others stand at 0.05/2.
    QCOMPARE(four[3].divisor, 4);
    QCOMPARE(four[0].divisor, 3);
    QCOMPARE(four[1].divisor, 2);
    QCOMPARE(four[2].divisor, 2);
}

void TestStats::holmLevelsDecideAsItsPValues() {
    const std::vector<double> p = {0.001, 0.0126, 0.0166, 0.017, 0.024, 0.049, 0.051, 0.3, 1.0};
    std::vector<double> family;
    for (std::size_t first = 0; first < p.size(); ++first)
        for (std::size_t second = first; second < p.size(); ++second)
            for (std::size_t third = second; third < p.size(); ++third) {
                family = {p[third], p[first], p[second], 0.04};
                const auto results = holm(family, 0.05);
                for (std::size_t i = 0; i < family.size(); ++i)
                    QCOMPARE(results[i].adjusted_p < 0.05, family[i] < results[i].level);
            }
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
    QTest::addColumn<Difference>("verdict");
    QTest::newRow("better") << 0.01 << 0.08 << 0.02 << Difference::better;
    QTest::newRow("worse") << -0.30 << -0.12 << 0.02 << Difference::worse;
    QTest::newRow("interval reaches 0") << -0.08 << 0.0 << 0.02 << Difference::not_distinguishable;
    QTest::newRow("inside") << -0.018 << 0.02 << 0.02 << Difference::equivalent;
    QTest::newRow("reaches over the margin") << -0.021 << 0.01 << 0.02 << Difference::not_distinguishable;
    QTest::newRow("a proven loss inside the margin stays a loss")
        << -0.015 << -0.005 << 0.02 << Difference::worse;
    QTest::newRow("NaN") << not_a_number << not_a_number << 0.02 << Difference::not_distinguishable;
}

void TestStats::differences() {
    QFETCH(double, low);
    QFETCH(double, high);
    QFETCH(double, margin);
    QFETCH(Difference, verdict);
    QVERIFY(judge_difference({low, high}, margin) == verdict);
}

QTEST_APPLESS_MAIN(TestStats)
#include "tst_stats.moc"
