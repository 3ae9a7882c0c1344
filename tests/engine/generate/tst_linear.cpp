// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/linear.h"
#include "engine/backend/cpu/onednn_products.h"
#include "engine/schemes/quantize.h"

#include <QtTest>
#include <random>

using namespace quantscope;
using namespace quantscope::cpu;

/// Products of packed weights. Run once for each instruction set (see CMakeLists.txt): integers must agree
/// with a naive 64-bit sum bit for bit on every one of them.
class LinearTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void integerProductsAreExact_data();
    void integerProductsAreExact();
    void extremeCodesDoNotSaturate_data();
    void extremeCodesDoNotSaturate();
    void rowsDoNotDependOnTheirNumber_data();
    void rowsDoNotDependOnTheirNumber();
    void realProductsAreClose();
    void bytesAWeight_data();
    void bytesAWeight();
};

namespace {

std::vector<float> randomValues(std::int64_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
        value = uniform(generator);
    }
    return values;
}

LinearInput inputOf(std::span<const float> x, int rows, std::int64_t inputs, Precision precision) {
    LinearInput input(rows, inputs, precision, 1.0F);
    for (int m = 0; m < rows; ++m) {
        std::copy_n(x.begin() + m * inputs, inputs, input.values() + m * input.stride());
    }
    input.prepare(rows, inputs);
    return input;
}

/// y as design section 3 writes it, from the f32 numbers, with 64-bit sums.
std::vector<float> naive(std::span<const float> w, std::span<const float> x, int rows, std::int64_t outputs,
                         std::int64_t inputs, int weight_code, int activation_code) {
    const auto width = static_cast<std::size_t>(inputs);
    std::vector<std::int8_t> w_codes(w.size());
    std::vector<std::int8_t> x_codes(x.size());
    std::vector<float> w_scales;
    std::vector<float> y;
    for (std::size_t n = 0; n < static_cast<std::size_t>(outputs); ++n) {
        w_scales.push_back(quantize_vector(w.subspan(n * width, width), weight_code, 1.0F,
                                           std::span(w_codes).subspan(n * width, width)));
    }
    for (std::size_t m = 0; m < static_cast<std::size_t>(rows); ++m) {
        const float x_scale = quantize_vector(x.subspan(m * width, width), activation_code, 1.0F,
                                              std::span(x_codes).subspan(m * width, width));
        for (std::size_t n = 0; n < static_cast<std::size_t>(outputs); ++n) {
            std::int64_t sum = 0;
            for (std::size_t k = 0; k < width; ++k) {
                sum += std::int64_t{x_codes[m * width + k]} * w_codes[n * width + k];
            }
            y.push_back((x_scale * w_scales[n]) * static_cast<float>(sum));
        }
    }
    return y;
}

} // namespace

void LinearTest::initTestCase() {
    qInfo("kernels: %s, oneDNN int8: %s", kernels().name, onednn_available() ? "AMX" : "not used");
}

void LinearTest::integerProductsAreExact_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("outputs");
    QTest::addColumn<int>("inputs");
    for (const auto& [rows, outputs, inputs] : {std::tuple{1, 1, 1},
                                                {1, 64, 64},
                                                {3, 65, 63},
                                                {2, 130, 257},
                                                {8, 192, 512},
                                                {5, 7, 1000},
                                                {33, 100, 129},
                                                {64, 64, 192},
                                                {101, 257, 1376},
                                                {130, 70, 11008}}) {
        QTest::addRow("%d x %d x %d", rows, outputs, inputs) << rows << outputs << inputs;
    }
}

void LinearTest::integerProductsAreExact() {
    QFETCH(int, rows);
    QFETCH(int, outputs);
    QFETCH(int, inputs);
    auto w = randomValues(std::int64_t{outputs} * inputs, 1);
    auto x = randomValues(std::int64_t{rows} * inputs, 2);
    if (rows > 2) { // a row and an output of zeros
        std::fill_n(x.begin() + inputs, inputs, 0.0F);
        std::fill_n(w.begin() + 2 * inputs, inputs, 0.0F);
    }
    for (const auto& [storage, weight_code] : {std::pair{Storage::int8, 127}, {Storage::int4, 7}}) {
        PackedWeights packed(storage, outputs, inputs);
        packed.set_rows(0, w);
        for (const auto& [precision, code] : {std::pair{Precision::int8, 127}, {Precision::int4, 7}}) {
            const LinearInput input = inputOf(x, rows, inputs, precision);
            const auto count = static_cast<std::size_t>(rows * outputs);
            std::vector<float> y(count + 8, 12345.0F);
            multiply(packed, input, y.data(), outputs);
            QVERIFY(std::all_of(y.begin() + static_cast<std::ptrdiff_t>(count), y.end(),
                                [](float value) { return value == 12345.0F; }));
            y.resize(count);
            QVERIFY(y == naive(w, x, rows, outputs, inputs, weight_code, code));
        }
    }
}

void LinearTest::extremeCodesDoNotSaturate_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<float>("sign");
    for (const int rows : {1, 4, 32, 64}) {
        QTest::addRow("%d rows, +", rows) << rows << 1.0F;
        QTest::addRow("%d rows, -", rows) << rows << -1.0F;
    }
}

void LinearTest::extremeCodesDoNotSaturate() {
    QFETCH(int, rows);
    QFETCH(float, sign);
    const std::int64_t inputs = 4096;
    const std::vector<float> w(static_cast<std::size_t>(64 * inputs), 127.0F); // s = 1, every code 127
    const std::vector<float> x(static_cast<std::size_t>(rows * inputs), sign * 127.0F);
    PackedWeights packed(Storage::int8, 64, inputs);
    packed.set_rows(0, w);
    std::vector<float> y(static_cast<std::size_t>(rows) * 64);
    multiply(packed, inputOf(x, rows, inputs, Precision::int8), y.data(), 64);
    for (const float value : y) {
        QCOMPARE(value, sign * 127.0F * 127.0F * 4096.0F);
    }
}

void LinearTest::rowsDoNotDependOnTheirNumber_data() {
    QTest::addColumn<int>("storage");
    QTest::addColumn<int>("precision");
    QTest::newRow("f32") << static_cast<int>(Storage::f32) << static_cast<int>(Precision::fp16);
    QTest::newRow("f16") << static_cast<int>(Storage::f16) << static_cast<int>(Precision::fp16);
    QTest::newRow("bf16") << static_cast<int>(Storage::bf16) << static_cast<int>(Precision::fp16);
    QTest::newRow("w8a8") << static_cast<int>(Storage::int8) << static_cast<int>(Precision::int8);
    QTest::newRow("w4a4") << static_cast<int>(Storage::int4) << static_cast<int>(Precision::int4);
}

void LinearTest::rowsDoNotDependOnTheirNumber() {
    QFETCH(int, storage);
    QFETCH(int, precision);
    const std::int64_t inputs = 300;
    const std::int64_t outputs = 200;
    PackedWeights packed(static_cast<Storage>(storage), outputs, inputs);
    packed.set_rows(0, randomValues(outputs * inputs, 3));
    const auto x = randomValues(70 * inputs, 4);
    std::vector<float> together(static_cast<std::size_t>(70 * outputs));
    multiply(packed, inputOf(x, 70, inputs, static_cast<Precision>(precision)), together.data(), outputs);
    for (const int rows : {1, 3, 8, 32}) {
        for (int first = 0; first + rows <= 70; first += rows) {
            const auto part = std::span(x).subspan(static_cast<std::size_t>(first * inputs),
                                                   static_cast<std::size_t>(rows * inputs));
            std::vector<float> y(static_cast<std::size_t>(rows * outputs));
            multiply(packed, inputOf(part, rows, inputs, static_cast<Precision>(precision)), y.data(),
                     outputs);
            QVERIFY(std::equal(y.begin(), y.end(), together.begin() + first * outputs));
        }
    }
}

void LinearTest::realProductsAreClose() {
    const std::int64_t inputs = 515;
    const std::int64_t outputs = 70;
    const auto w = randomValues(outputs * inputs, 6);
    const auto x = randomValues(9 * inputs, 7);
    PackedWeights packed(Storage::f32, outputs, inputs);
    packed.set_rows(0, w);
    std::vector<float> y(static_cast<std::size_t>(9 * outputs));
    multiply(packed, inputOf(x, 9, inputs, Precision::fp16), y.data(), outputs);
    for (std::int64_t m = 0; m < 9; ++m) {
        for (std::int64_t n = 0; n < outputs; ++n) {
            double sum = 0.0;
            for (std::int64_t k = 0; k < inputs; ++k) {
                sum += static_cast<double>(x[static_cast<std::size_t>(m * inputs + k)]) *
                       w[static_cast<std::size_t>(n * inputs + k)];
            }
            QVERIFY(std::fabs(y[static_cast<std::size_t>(m * outputs + n)] - sum) < 1e-4);
        }
    }
}

void LinearTest::bytesAWeight_data() {
    QTest::addColumn<int>("outputs");
    QTest::addColumn<int>("inputs");
    // Llama-2-7B: q k v, o, gate up, down; the demo model's; a hidden size that is no multiple of 64.
    for (const auto& [outputs, inputs] : {std::pair{12288, 4096},
                                          {4096, 4096},
                                          {22016, 4096},
                                          {4096, 11008},
                                          {1536, 512},
                                          {512, 1536},
                                          {3072, 512},
                                          {4096, 992}}) {
        QTest::addRow("%d x %d", outputs, inputs) << outputs << inputs;
    }
}

void LinearTest::bytesAWeight() {
    QFETCH(int, outputs);
    QFETCH(int, inputs);
    const PackedWeights int8(Storage::int8, outputs, inputs);
    const PackedWeights int4(Storage::int4, 64,
                             inputs); // per block of 64 outputs: the same figure, no large memset
    const double int8_bytes = static_cast<double>(int8.bytes()) / static_cast<double>(int8.weight_count());
    const double int4_bytes = static_cast<double>(int4.bytes()) / static_cast<double>(int4.weight_count());
    const bool padded = inputs % 64 != 0;
    QVERIFY2(int8_bytes > 1.0 && int8_bytes <= (padded ? 1.04 : 1.02),
             qPrintable(QString::number(int8_bytes)));
    QVERIFY2(int4_bytes > 0.5 && int4_bytes <= (padded ? 0.53 : 0.52),
             qPrintable(QString::number(int4_bytes)));
}

QTEST_APPLESS_MAIN(LinearTest)
#include "tst_linear.moc"
