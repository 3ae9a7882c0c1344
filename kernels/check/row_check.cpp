// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/canonical.h"
#include "kernels/check/support.h"
#include "kernels/rows/row_transform.h"

#include <algorithm>
#include <cfloat>

namespace quantscope::kernels {
namespace {

struct Case {
    const char* name;
    int rows;
    int cols;
    int hadamard_block;
    bool normalize;
    bool signs;
    RowStore store;
    int largest_code;
    float clip;
};

void reference_hadamard(float* v, int cols, int block) {
    const float norm = 1.0F / std::sqrt(static_cast<float>(block));
    for (int start = 0; start < cols; start += block) {
        for (int half = 1; half < block; half *= 2)
            for (int i = 0; i < block; ++i)
                if ((i / half) % 2 == 0) {
                    const float a = v[start + i];
                    const float b = v[start + i + half];
                    v[start + i] = a + b;
                    v[start + i + half] = a - b;
                }
        for (int i = 0; i < block; ++i)
            v[start + i] *= norm;
    }
}

/// The rows before they are stored.
std::vector<float> reference_rows(const Case& c, std::vector<float> x, const std::vector<float>& gamma,
                                  const std::vector<float>& signs, float eps) {
    for (int r = 0; r < c.rows; ++r) {
        float* const row = x.data() + static_cast<std::size_t>(r) * c.cols;
        if (c.normalize) {
            const float inverse = canonical::inverse_rms(row, c.cols, eps);
            for (int i = 0; i < c.cols; ++i)
                row[i] = row[i] * inverse * gamma[static_cast<std::size_t>(i)];
        }
        for (int i = 0; c.signs && i < c.cols; ++i)
            row[i] *= signs[static_cast<std::size_t>(i)];
        if (c.hadamard_block > 1)
            reference_hadamard(row, c.cols, c.hadamard_block);
    }
    return x;
}

struct Codes {
    std::vector<std::int8_t> codes; ///< padded
    std::vector<float> scales;
};

Codes reference_codes(const Case& c, const std::vector<float>& x) {
    const int padded = padded_cols(c.cols);
    Codes out{std::vector<std::int8_t>(static_cast<std::size_t>(c.rows) * padded, 0),
              std::vector<float>(c.rows)};
    const auto q = static_cast<float>(c.largest_code);
    for (int r = 0; r < c.rows; ++r) {
        const float* const row = x.data() + static_cast<std::size_t>(r) * c.cols;
        float largest = 0.0F;
        for (int i = 0; i < c.cols; ++i)
            largest = std::max(largest, std::fabs(row[i]));
        float scale = largest * c.clip / q;
        scale = scale >= FLT_MIN ? scale : 1.0F;
        out.scales[r] = scale;
        for (int i = 0; i < c.cols; ++i)
            out.codes[static_cast<std::size_t>(r) * padded + i] =
                static_cast<std::int8_t>(std::clamp(std::nearbyint(row[i] / scale), -q, q));
    }
    return out;
}

Status check_case(const Case& c, std::mt19937& random, CheckResult& result) {
    const std::size_t count = static_cast<std::size_t>(c.rows) * c.cols;
    std::vector<float> x = normal_values(count, random, 3.0F);
    const bool ties = !c.normalize && c.hadamard_block == 1 && c.rows > 2;
    for (int i = 0; ties && i < c.cols; ++i) {
        x[i] = 0.0F;                                                         // row 0: nothing to scale by
        x[c.cols + i] = static_cast<float>(i % (2 * c.largest_code)) * 0.5F; // row 1: halves, rounded to even
    }
    if (ties)
        x[c.cols] = static_cast<float>(c.largest_code);
    const std::vector<float> gamma = normal_values(c.cols, random);
    std::vector<float> signs = normal_values(c.cols, random);
    for (float& sign : signs)
        sign = sign < 0.0F ? -1.0F : 1.0F;
    constexpr float eps = 1e-5F;

    DeviceBuffer<float> d_x;
    DeviceBuffer<float> d_gamma;
    DeviceBuffer<float> d_signs;
    DeviceBuffer<float> d_scales;
    DeviceBuffer<std::uint8_t> d_out;
    QS_TRY(upload(x, d_x));
    QS_TRY(upload(gamma, d_gamma));
    QS_TRY(upload(signs, d_signs));
    QS_TRY(poisoned(c.rows, d_scales));
    QS_TRY(poisoned(static_cast<std::size_t>(c.rows) * padded_cols(c.cols) * 4, d_out));
    RowTransform t;
    t.x = d_x.data();
    t.rows = c.rows;
    t.cols = c.cols;
    t.normalize = c.normalize;
    t.gamma = d_gamma.data();
    t.eps = eps;
    t.signs = c.signs ? d_signs.data() : nullptr;
    t.hadamard_block = c.hadamard_block;
    t.store = c.store;
    t.out = d_out.data();
    t.scales = d_scales.data();
    t.largest_code = c.largest_code;
    t.clip = c.clip;
    QS_TRY(transform_rows(t, {}));
    std::vector<std::uint8_t> bytes;
    QS_TRY(download(d_out, bytes, "running transform_rows"));

    const std::vector<float> rows = reference_rows(c, x, gamma, signs, eps);
    if (c.store == RowStore::codes) {
        const Codes expected = reference_codes(c, rows);
        Codes out;
        const auto* const codes = reinterpret_cast<const std::int8_t*>(bytes.data());
        out.codes.assign(codes, codes + expected.codes.size());
        QS_TRY(download(d_scales, out.scales, "running transform_rows"));
        expect_equal(out.codes, expected.codes, "code", result);
        expect_equal(out.scales, expected.scales, "scale", result);
    } else if (c.store == RowStore::f32) {
        const auto* const values = reinterpret_cast<const float*>(bytes.data());
        expect_equal(std::vector<float>(values, values + count), rows, "element", result);
    } else {
        const auto* const halves = reinterpret_cast<const __half*>(bytes.data());
        const int padded = padded_cols(c.cols);
        std::vector<float> out(static_cast<std::size_t>(c.rows) * padded);
        std::vector<float> expected(out.size(), 0.0F);
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = __half2float(halves[i]);
        for (std::size_t i = 0; i < count; ++i)
            expected[i / c.cols * padded + i % c.cols] = __half2float(__float2half_rn(rows[i]));
        expect_equal(out, expected, "half", result);
    }
    return {};
}

} // namespace

void check_rows(std::mt19937& random, CheckList& results) {
    const RowStore codes = RowStore::codes;
    const Case cases[] = {
        {"quantize int8", 3, 100, 1, false, false, codes, 127, 1.0F},
        {"quantize int8", 17, 4096, 1, false, false, codes, 127, 1.0F},
        {"quantize int4", 5, 773, 1, false, false, codes, 7, 0.9F},
        {"quantize int4", 1, 11008, 1, false, false, codes, 7, 0.9F},
        {"norm, quantize int8", 7, 4096, 1, true, false, codes, 127, 1.0F},
        {"norm, quantize int4", 3, 200, 1, true, false, codes, 7, 0.9F},
        {"Hadamard 256, quantize int4", 4, 11008, 256, false, false, codes, 7, 0.9F},
        {"Hadamard 32, quantize int8", 9, 96, 32, false, false, codes, 127, 1.0F},
        {"signs, Hadamard 4096", 2, 4096, 4096, false, true, RowStore::f32, 127, 1.0F},
        {"signs, Hadamard 8", 3, 1000, 8, false, true, RowStore::f32, 127, 1.0F},
        {"norm, quantize int8", 2, 11008, 1, true, false, codes, 127, 1.0F},
        {"norm, quantize int4", 5, 2049, 1, true, false, codes, 7, 0.9F},
        {"norm, Hadamard 256", 3, 8192, 256, true, false, RowStore::f32, 127, 1.0F},
        {"quantize int8", 2, 12288, 1, false, false, codes, 127,
         1.0F}, // 48 KiB of shared memory, and a little
        {"norm to halves", 16, 300, 1, true, false, RowStore::f16, 127, 1.0F},
        {"halves", 2, 13824, 1, false, false, RowStore::f16, 127, 1.0F},
        {"norm, quantize int8", 300, 4096, 1, true, false, codes, 127, 1.0F}, // many rows: in registers
        {"Hadamard 256, quantize int4", 257, 11008, 256, false, false, codes, 7, 0.9F},
        {"norm to halves", 256, 1000, 1, true, false, RowStore::f16, 127, 1.0F},
        {"quantize int8", 260, 11008, 1, false, false, codes, 127, 1.0F},
        {"quantize int4", 256, 4100, 1, false, false, codes, 7, 0.9F},
        {"norm, quantize int4", 258, 8192, 1, true, false, codes, 7, 0.9F},
        {"norm, quantize int8", 256, 773, 1, true, false, codes, 127, 1.0F},
        {"halves", 256, 13824, 1, false, false, RowStore::f16, 127, 1.0F},
    };
    for (const Case& c : cases)
        run_check(results,
                  std::string(c.name) + " " + std::to_string(c.rows) + " x " + std::to_string(c.cols),
                  [&](CheckResult& result) { return check_case(c, random, result); });
}

} // namespace quantscope::kernels
