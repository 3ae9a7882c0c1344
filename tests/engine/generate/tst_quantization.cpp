// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/packed_weights.h"
#include "engine/schemes/hadamard.h"
#include "engine/schemes/quantize.h"
#include "engine/schemes/scheme.h"

#include <QtTest>
#include <cmath>
#include <limits>
#include <random>
#include <set>

using namespace quantscope;

/// The arithmetic of the schemes: the reference in engine/schemes, and each instruction set's kernels against
/// it.
class QuantizationTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void schemeTable();
    void roundsHalfToEven();
    void clampsAndCatchesNaN();
    void clipShrinksTheScale();
    void zeroRowsHaveScaleOne();
    void int4PairsRoundTrip();
    void kernelsQuantizeAsTheReference_data();
    void kernelsQuantizeAsTheReference();
    void packedRowsComeBack_data();
    void packedRowsComeBack();
    void halvesAreRoundedToEven();
    void hadamardIsItsOwnInverse();
    void hadamardSpreadsAnOutlier();
    void kernelHadamardEqualsTheReference();
};

namespace {

std::vector<float> randomRow(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    std::vector<float> row(count);
    for (float& value : row) {
        value = normal(generator);
    }
    return row;
}

void addKernelSets() {
    QTest::addColumn<QString>("isa");
    for (const char* isa : {"portable", "avx2", "avx512-vnni"}) {
        QTest::newRow(isa) << QString::fromLatin1(isa);
    }
}

} // namespace

void QuantizationTest::schemeTable() {
    std::set<std::string_view> ids;
    for (const Scheme& scheme : all_schemes()) {
        QVERIFY(ids.insert(scheme.id).second);
        QVERIFY(!scheme.label.empty() && !scheme.summary.empty());
        QCOMPARE(find_scheme(scheme.id), &scheme);
    }
    QVERIFY((ids == std::set<std::string_view>{"fp16", "int8", "w4a8", "w4a4-rtn", "w4a4-rot", "int8+kv8",
                                               "w4a4-rot+kv8"}));
    QCOMPARE(find_scheme("w4a4"), nullptr);
}

void QuantizationTest::roundsHalfToEven() {
    QCOMPARE(int{quantize_value(0.5F, 1.0F, 127)}, 0);
    QCOMPARE(int{quantize_value(1.5F, 1.0F, 127)}, 2);
    QCOMPARE(int{quantize_value(2.5F, 1.0F, 127)}, 2);
    QCOMPARE(int{quantize_value(-2.5F, 1.0F, 127)}, -2);
    QCOMPARE(int{quantize_value(-3.5F, 1.0F, 127)}, -4);
}

void QuantizationTest::clampsAndCatchesNaN() {
    QCOMPARE(int{quantize_value(500.0F, 1.0F, 127)}, 127);
    QCOMPARE(int{quantize_value(-500.0F, 1.0F, 127)}, -127);
    QCOMPARE(int{quantize_value(9.0F, 1.0F, 7)}, 7);
    QCOMPARE(int{quantize_value(std::numeric_limits<float>::infinity(), 1.0F, 7)}, 7);
    QCOMPARE(int{quantize_value(std::numeric_limits<float>::quiet_NaN(), 1.0F, 7)}, -7);
}

void QuantizationTest::clipShrinksTheScale() {
    const std::vector<float> row{-10.0F, 3.0F};
    QCOMPARE(quantization_scale(row, 7, 1.0F), 10.0F / 7.0F);
    QCOMPARE(quantization_scale(row, 7, 0.9F), 9.0F / 7.0F);
    std::vector<std::int8_t> codes(2);
    quantize_vector(row, 7, 0.9F, codes);
    QCOMPARE(int{codes[0]}, -7); // -7.78 is clamped
    QCOMPARE(int{codes[1]}, 2);
}

void QuantizationTest::zeroRowsHaveScaleOne() {
    for (const float tiny : {0.0F, -0.0F, 1e-44F}) {
        const std::vector<float> row(20, tiny);
        std::vector<std::int8_t> codes(20, 1);
        QCOMPARE(quantize_vector(row, 127, 1.0F, codes), 1.0F);
        QVERIFY(std::all_of(codes.begin(), codes.end(), [](std::int8_t code) { return code == 0; }));
    }
}

void QuantizationTest::int4PairsRoundTrip() {
    for (int low = -7; low <= 7; ++low) {
        for (int high = -7; high <= 7; ++high) {
            const std::uint8_t pair =
                pack_int4(static_cast<std::int8_t>(low), static_cast<std::int8_t>(high));
            QCOMPARE(int{unpack_int4_low(pair)}, low);
            QCOMPARE(int{unpack_int4_high(pair)}, high);
        }
    }
}

void QuantizationTest::kernelsQuantizeAsTheReference_data() {
    addKernelSets();
}

void QuantizationTest::kernelsQuantizeAsTheReference() {
    QFETCH(QString, isa);
    const cpu::Kernels* kernels = cpu::kernels_named(isa.toLatin1().constData());
    if (kernels == nullptr) {
        QSKIP("this processor lacks the instruction set");
    }
    for (const std::size_t count : {1U, 15U, 16U, 33U, 512U, 1376U}) {
        for (const int largest : {7, 127}) {
            for (const float clip : {1.0F, 0.9F}) {
                auto row = randomRow(count, static_cast<unsigned>(count));
                row[count / 2] =
                    count % 2 == 0 ? 40.0F : 0.0F; // 40 / s falls on a grid point, others on halves
                std::vector<std::int8_t> expected(count);
                std::vector<std::int8_t> codes(count);
                std::int32_t sum = 0;
                const float scale = quantize_vector(row, largest, clip, expected);
                QCOMPARE(kernels->quantize_row(row.data(), static_cast<std::int64_t>(count), largest, clip,
                                               codes.data(), &sum),
                         scale);
                QVERIFY(codes == expected);
                QCOMPARE(sum, std::accumulate(expected.begin(), expected.end(), 0));
            }
        }
    }
    const std::vector<float> halves{0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 7.0F, 3.5F, -3.5F};
    std::vector<std::int8_t> codes(halves.size());
    std::int32_t sum = 0;
    QCOMPARE(kernels->quantize_row(halves.data(), 8, 7, 1.0F, codes.data(), &sum), 1.0F);
    QVERIFY((codes == std::vector<std::int8_t>{0, 2, 2, 0, -2, 7, 4, -4}));
    // A NaN must not vanish in codes, wherever in the row it stands.
    for (const std::size_t at : {0U, 17U, 32U}) {
        auto row = randomRow(33, 5);
        row[at] = std::nanf("");
        codes.resize(row.size());
        QVERIFY(std::isnan(kernels->quantize_row(row.data(), 33, 127, 1.0F, codes.data(), &sum)));
        QVERIFY(std::isnan(quantize_vector(row, 127, 1.0F, codes)));
    }
}

void QuantizationTest::packedRowsComeBack_data() {
    QTest::addColumn<int>("storage");
    QTest::addColumn<double>("tolerance"); ///< of the row's largest value
    using cpu::Storage;
    QTest::newRow("f32") << static_cast<int>(Storage::f32) << 0.0;
    QTest::newRow("f16") << static_cast<int>(Storage::f16) << 0x1.0p-11;
    QTest::newRow("bf16") << static_cast<int>(Storage::bf16) << 0x1.0p-8;
    QTest::newRow("int8") << static_cast<int>(Storage::int8) << 0.5001 / 127;
    QTest::newRow("int4") << static_cast<int>(Storage::int4) << 0.5001 / 7;
}

void QuantizationTest::packedRowsComeBack() {
    QFETCH(int, storage);
    QFETCH(double, tolerance);
    const std::int64_t outputs = 131;
    const std::int64_t inputs = 77;
    cpu::PackedWeights packed(static_cast<cpu::Storage>(storage), outputs, inputs);
    const auto all = randomRow(static_cast<std::size_t>(outputs * inputs), 5);
    packed.set_rows(0, std::span(all).first(static_cast<std::size_t>(50 * inputs)));
    packed.set_rows(50, std::span(all).subspan(static_cast<std::size_t>(50 * inputs)));
    std::vector<float> row(static_cast<std::size_t>(inputs));
    for (std::int64_t n = 0; n < outputs; ++n) {
        packed.get_row(n, row);
        const auto original = std::span(all).subspan(static_cast<std::size_t>(n * inputs), row.size());
        float largest = 0.0F;
        for (const float value : original) {
            largest = std::max(largest, std::fabs(value));
        }
        for (std::size_t k = 0; k < row.size(); ++k) {
            QVERIFY(std::fabs(row[k] - original[k]) <= tolerance * static_cast<double>(largest));
        }
    }
}

void QuantizationTest::halvesAreRoundedToEven() {
    // f16: 11 bits of mantissa, so 2049 lies between 2048 and 2050; 2^-25 between 0 and the least subnormal
    // 2^-24.
    const std::vector<float> values{2049.0F,    2051.0F,  0x1.0p-24F, 0x1.0p-25F,
                                    0x1.8p-24F, 65504.0F, -1.0F,      0.0F};
    cpu::PackedWeights packed(cpu::Storage::f16, 1, static_cast<std::int64_t>(values.size()));
    packed.set_rows(0, values);
    std::vector<float> row(values.size());
    packed.get_row(0, row);
    QVERIFY(
        (row == std::vector<float>{2048.0F, 2052.0F, 0x1.0p-24F, 0.0F, 0x1.0p-23F, 65504.0F, -1.0F, 0.0F}));
}

void QuantizationTest::hadamardIsItsOwnInverse() {
    QCOMPARE(hadamard_block(11008, 256), 256);
    QCOMPARE(hadamard_block(5120), 1024);
    QCOMPARE(hadamard_block(7), 1);
    for (const int size : {1, 2, 64, 96, 1280}) {
        const auto original = randomRow(static_cast<std::size_t>(size), 3);
        auto row = original;
        hadamard_transform(row, hadamard_block(size));
        double before = 0.0;
        double after = 0.0;
        for (std::size_t i = 0; i < row.size(); ++i) {
            before += original[i] * static_cast<double>(original[i]);
            after += row[i] * static_cast<double>(row[i]);
        }
        QVERIFY(std::fabs(after / before - 1.0) < 1e-5);
        hadamard_transform(row, hadamard_block(size));
        for (std::size_t i = 0; i < row.size(); ++i) {
            QVERIFY(std::fabs(row[i] - original[i]) < 1e-5F);
        }
    }
}

void QuantizationTest::hadamardSpreadsAnOutlier() {
    std::vector<float> row(256, 0.0F);
    row[77] = 16.0F;
    hadamard_transform(row, 256);
    QVERIFY(std::all_of(row.begin(), row.end(), [](float value) { return std::fabs(value) == 1.0F; }));
}

void QuantizationTest::kernelHadamardEqualsTheReference() {
    auto expected = randomRow(768, 9);
    auto row = expected;
    hadamard_transform(expected, 256);
    cpu::kernels().hadamard(row.data(), 768, 256);
    for (std::size_t i = 0; i < row.size(); ++i) {
        QVERIFY(std::fabs(row[i] - expected[i]) < 1e-5F);
    }
}

QTEST_APPLESS_MAIN(QuantizationTest)
#include "tst_quantization.moc"
