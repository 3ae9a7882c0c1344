// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tensor.h"
#include "model_files.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace quantscope;

namespace {

template<class T>
TensorView view_of(const std::vector<T>& values, DType dtype, std::vector<std::int64_t> shape) {
    return {"weights", dtype, std::move(shape), std::as_bytes(std::span(values)), "file.safetensors"};
}

/// IEEE 754 binary16 by its definition: (-1)^s * 2^(e-15) * 1.m, or 2^-14 * 0.m where e is 0.
double half_by_definition(std::uint16_t bits) {
    const int exponent = bits >> 10 & 0x1F;
    const double fraction = (bits & 0x3FF) / 1024.0;
    const double magnitude = exponent == 0    ? std::ldexp(fraction, -14)
                             : exponent == 31 ? (fraction == 0.0 ? HUGE_VAL : std::nan(""))
                                              : std::ldexp(1.0 + fraction, exponent - 15);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

} // namespace

class TestTensor : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void every_f16() {
        std::vector<std::uint16_t> bits(65536);
        for (std::size_t i = 0; i < bits.size(); ++i) {
            bits[i] = static_cast<std::uint16_t>(i);
        }
        std::vector<float> out(bits.size());
        to_f32(view_of(bits, DType::f16, {256, 256}), 0, out);
        for (std::size_t i = 0; i < bits.size(); ++i) {
            const double expected = half_by_definition(bits[i]);
            QCOMPARE(std::signbit(out[i]), (i & 0x8000U) != 0);
            QCOMPARE(std::isnan(out[i]), std::isnan(expected));
            QVERIFY2(std::isnan(expected) || static_cast<double>(out[i]) == expected,
                     qPrintable(QString::number(i)));
        }
    }

    void every_bf16() {
        std::vector<std::uint16_t> bits(65536);
        for (std::size_t i = 0; i < bits.size(); ++i) {
            bits[i] = static_cast<std::uint16_t>(i);
        }
        std::vector<float> out(bits.size());
        to_f32(view_of(bits, DType::bf16, {65536}), 0, out);
        for (std::size_t i = 0; i < bits.size(); ++i) {
            QCOMPARE(std::bit_cast<std::uint32_t>(out[i]), static_cast<std::uint32_t>(i * 65536));
        }
    }

    void a_part_of_unaligned_data() {
        std::vector<std::byte> raw(1 + 4 * sizeof(float));
        const float values[] = {1.5F, -2.0F, 3.25F, 1e-40F};
        std::memcpy(raw.data() + 1, values, sizeof(values));
        const TensorView tensor{"t", DType::f32, {2, 2}, std::span(raw).subspan(1), "f"};
        std::vector<float> out(2);
        to_f32(tensor, 2, out);
        QCOMPARE(out, (std::vector<float>{3.25F, 1e-40F}));
        to_f32(tensor, 4, {});
    }

    void finite_weights_pass() {
        QVERIFY(check_finite(view_of(std::vector<float>{1.0F, -3e38F, 0.0F}, DType::f32, {3})));
        QVERIFY(check_finite(view_of(std::vector<std::uint16_t>{0x7BFF, 0xFBFF, 1}, DType::f16, {3})));
        QVERIFY(check_finite(view_of(std::vector<std::uint16_t>{0x7F7F, 0xFF7F, 1}, DType::bf16, {3})));
        QVERIFY(check_finite(view_of(std::vector<float>{}, DType::f32, {0, 4})));
    }

    void the_first_bad_weight_is_named() {
        std::vector<float> values(100 * 100, 0.5F);
        values[9999] = std::numeric_limits<float>::infinity();
        values[4242] = std::numeric_limits<float>::quiet_NaN();
        QUANTSCOPE_REFUSED(
            check_finite(view_of(values, DType::f32, {100, 100})), ErrorCode::bad_input,
            "file.safetensors: tensor 'weights' has NaN at index [42, 42]; expected finite weights.");
        values[4242] = 0.0F;
        QUANTSCOPE_REFUSED(check_finite(view_of(values, DType::f32, {100, 100})), ErrorCode::bad_input,
                           "an infinity at index [99, 99]");
    }

    void bad_half_weights_are_named() {
        for (const auto& [dtype, bits, kind] :
             {std::tuple(DType::f16, 0x7C00, "an infinity"), std::tuple(DType::f16, 0xFC01, "NaN"),
              std::tuple(DType::bf16, 0xFF80, "an infinity"), std::tuple(DType::bf16, 0x7FC0, "NaN")}) {
            std::vector<std::uint16_t> values(5000, 0x3C00);
            values[4097] = static_cast<std::uint16_t>(bits);
            QUANTSCOPE_REFUSED(check_finite(view_of(values, dtype, {5000})), ErrorCode::bad_input,
                               std::string(kind) + " at index [4097]");
        }
    }
};

QTEST_APPLESS_MAIN(TestTensor)
#include "tst_tensor.moc"
