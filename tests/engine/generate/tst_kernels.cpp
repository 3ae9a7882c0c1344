// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels.h"
#include "engine/model/tensor.h"
#include "kernels/check/canonical.h"

#include <QtTest>
#include <random>

using namespace quantscope;
using namespace quantscope::cpu;

/// Every instruction set that this processor has, against plain loops, bit for bit: the same loops that the
/// CUDA kernels are held against, so that the two engines agree.
class KernelsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void norm_data();
    void norm();
    void silu_data();
    void silu();
    void rope_data();
    void rope();
    void attention_data();
    void attention();
    void halves_data();
    void halves();
    void codesDoNotHideWhatIsNotFinite_data();
    void codesDoNotHideWhatIsNotFinite();
};

namespace {

std::vector<float> normalValues(std::int64_t count, unsigned seed, float spread = 1.0F) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, spread);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
        value = normal(random);
    }
    return values;
}

void addSets() {
    QTest::addColumn<QByteArray>("set");
    for (const char* set : {"portable", "avx2", "avx512-vnni"}) {
        if (kernels_named(set) != nullptr) {
            QTest::newRow(set) << QByteArray(set);
        }
    }
}

const Kernels& setUnderTest() {
    QFETCH(QByteArray, set);
    return *kernels_named(set.constData());
}

} // namespace

void KernelsTest::norm_data() {
    addSets();
}

void KernelsTest::norm() {
    const Kernels& k = setUnderTest();
    for (const int count : {1, 3, 17, 64, 100, 256, 1027, 2048, 2050, 4096, 5120, 11008}) {
        const auto x = normalValues(count, 1, 3.0F);
        const auto gamma = normalValues(count, 2);
        std::vector<float> y(x.size());
        std::vector<float> plain(x.size());
        k.rms_norm(x.data(), gamma.data(), 1e-5F, count, y.data());
        k.rms_norm(x.data(), nullptr, 1e-5F, count, plain.data());
        const float inverse = canonical::inverse_rms(x.data(), count, 1e-5F);
        for (std::size_t i = 0; i < x.size(); ++i) {
            QVERIFY(plain[i] == x[i] * inverse && y[i] == x[i] * inverse * gamma[i]);
        }
    }
}

void KernelsTest::silu_data() {
    addSets();
}

void KernelsTest::silu() {
    const auto gate = normalValues(5003, 3, 20.0F);
    const auto up = normalValues(5003, 4);
    auto out = gate;
    out[0] = 1000.0F;
    out[1] = -1000.0F;
    const auto before = out;
    setUnderTest().silu_multiply(out.data(), up.data(), 5003);
    for (std::size_t i = 0; i < out.size(); ++i) {
        QVERIFY(out[i] == canonical::silu_times(before[i], up[i]));
        const double exact = before[i] / (1.0 + std::exp(-static_cast<double>(before[i]))) * up[i];
        QVERIFY(std::fabs(out[i] - exact) <= 1e-6 * std::fabs(exact) + 1e-30);
    }
}

void KernelsTest::rope_data() {
    addSets();
}

void KernelsTest::rope() {
    for (const int head_dim : {8, 24, 64, 128}) {
        auto head = normalValues(head_dim, 5);
        auto expected = head;
        const auto cosines = normalValues(head_dim / 2, 6);
        const auto sines = normalValues(head_dim / 2, 7);
        setUnderTest().rope(head.data(), cosines.data(), sines.data(), head_dim);
        canonical::rotate(expected.data(), cosines.data(), sines.data(), head_dim);
        QVERIFY(head == expected);
    }
}

void KernelsTest::attention_data() {
    addSets();
}

void KernelsTest::attention() {
    const Kernels& k = setUnderTest();
    for (const int head_dim : {8, 24, 64, 72, 128}) {
        for (const int count : {1, 15, 16, 33, 64, 65, 200, 321}) {
            const QString name = QStringLiteral("%1 keys of %2").arg(count).arg(head_dim);
            const auto query = normalValues(head_dim, 8);
            const auto rows = (std::int64_t{count} + key_block - 1) / key_block * key_block;
            const auto numbers = normalValues(2 * rows * head_dim, 9, 2.0F);
            std::vector<std::uint16_t> rounded(numbers.size());
            k.to_f16(numbers.data(), static_cast<std::int64_t>(numbers.size()), rounded.data());
            // Keys in blocks, [rows / 16][head_dim][16]; values [rows][head_dim].
            const auto at_key = [&](int t, int d) {
                return (static_cast<std::size_t>(t / key_block) * static_cast<std::size_t>(head_dim) +
                        static_cast<std::size_t>(d)) *
                           key_block +
                       static_cast<std::size_t>(t % key_block);
            };
            const auto at_value = [&](int t, int d) {
                return static_cast<std::size_t>(rows * head_dim + std::int64_t{t} * head_dim + d);
            };
            const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
            std::vector<float> scratch(static_cast<std::size_t>(attend_scratch(rows, head_dim)));
            std::vector<float> out(query.size());
            std::vector<float> expected(query.size());

            const auto check = [&](Kernels::Attend attend, const auto& stored, const auto& number,
                                   const float* key_scales, const float* value_scales) {
                const CachedHead head{stored.data(), stored.data() + rows * head_dim, key_scales,
                                      value_scales};
                attend(query.data(), head, count, head_dim, scale, scratch.data(), out.data());
                canonical::attend(
                    query.data(), [&](int t, int d) { return number(stored[at_key(t, d)]); },
                    [&](int t, int d) { return number(stored[at_value(t, d)]); }, count, head_dim, scale,
                    expected.data(), key_scales, value_scales);
                return out == expected;
            };
            const auto same = [](auto number) { return static_cast<float>(number); };
            std::vector<std::int8_t> codes(numbers.size());
            std::int32_t sum = 0;
            k.quantize_row(numbers.data(), static_cast<std::int64_t>(numbers.size()), 127, 1.0F, codes.data(),
                           &sum);
            const auto scales = normalValues(2 * rows, 10, 0.05F);
            QVERIFY2(check(k.attend_f32, numbers, same, nullptr, nullptr), qPrintable(name));
            QVERIFY2(check(k.attend_f16, rounded, f16_to_f32, nullptr, nullptr), qPrintable(name));
            QVERIFY2(check(k.attend_int8, codes, same, scales.data(), scales.data() + rows),
                     qPrintable(name));
        }
    }
}

void KernelsTest::halves_data() {
    addSets();
}

void KernelsTest::halves() {
    std::vector<float> x;
    for (std::uint32_t half = 0; half < 0x7c00U; ++half) { // every finite one, and its neighbourhood
        const float value = f16_to_f32(static_cast<std::uint16_t>(half));
        const float next = half == 0x7bffU ? 65536.0F : f16_to_f32(static_cast<std::uint16_t>(half + 1));
        const float tie = value + (next - value) / 2;
        x.insert(x.end(), {value, tie, std::nextafterf(tie, 0.0F), std::nextafterf(tie, 1e9F), -value, -tie});
    }
    std::vector<std::uint16_t> out(x.size());
    setUnderTest().to_f16(x.data(), static_cast<std::int64_t>(x.size()), out.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto half = static_cast<std::uint32_t>(i / 6);
        const std::uint32_t to_even = half + half % 2;
        const std::uint32_t expected[] = {half, to_even, half, half + 1, half | 0x8000U, to_even | 0x8000U};
        QCOMPARE(static_cast<std::uint32_t>(out[i]), expected[i % 6]);
    }
}

void KernelsTest::codesDoNotHideWhatIsNotFinite_data() {
    addSets();
}
/// NaN and infinity have no code: what a row is multiplied with again must tell of them.
void KernelsTest::codesDoNotHideWhatIsNotFinite() {
    const Kernels& k = setUnderTest();
    for (const std::size_t count : {5U, 16U, 37U}) {
        for (const std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
            for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
                std::vector<float> row = normalValues(static_cast<std::int64_t>(count), 3);
                row[at] = bad;
                std::vector<std::int8_t> codes(count);
                std::int32_t sum = 0;
                QVERIFY(!std::isfinite(k.quantize_row(row.data(), static_cast<std::int64_t>(count), 127, 1.0F,
                                                      codes.data(), &sum)));
            }
        }
    }
}

QTEST_APPLESS_MAIN(KernelsTest)
#include "tst_kernels.moc"
