// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/support.h"
#include "kernels/load/load.h"

#include <cstring>

namespace quantscope::kernels {
namespace {

Status found_by(const DeviceBuffer<std::uint32_t>& d_found, std::uint32_t& found) {
    std::vector<std::uint32_t> word;
    QS_TRY(download(d_found, word, "converting weights"));
    found = word[0];
    return {};
}

Status check_conversions(std::mt19937& random, CheckResult& result) {
    constexpr std::size_t count = 70'001;
    std::vector<float> values = normal_values(count, random, 100.0F);
    std::vector<std::uint16_t> bf16(count);
    std::vector<__half> half(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &values[i], sizeof bits);
        bf16[i] = static_cast<std::uint16_t>(bits >> 16);
        bits &= 0xFFFF0000U;
        std::memcpy(&values[i], &bits, sizeof bits);
        half[i] = __float2half_rn(values[i]);
    }
    DeviceBuffer<std::uint16_t> d_bf16;
    DeviceBuffer<__half> d_half;
    DeviceBuffer<float> d_out;
    DeviceBuffer<std::uint32_t> d_found;
    QS_TRY(upload(bf16, d_bf16));
    QS_TRY(poisoned(count, d_half));
    QS_TRY(poisoned(count, d_out));
    QS_TRY(upload(std::vector<std::uint32_t>{0}, d_found));
    QS_TRY(widen(FileType::bf16, d_bf16.data(), count, d_out.data(), d_found.data(), nullptr));
    std::vector<float> out;
    QS_TRY(download(d_out, out, "running widen"));
    expect_equal(out, values, "bf16 element", result);
    QS_TRY(narrow(d_out.data(), count, d_half.data(), d_found.data(), nullptr));
    QS_TRY(widen(FileType::f16, d_half.data(), count, d_out.data(), d_found.data(), nullptr));
    QS_TRY(download(d_out, out, "running widen"));
    std::vector<float> halves(count);
    for (std::size_t i = 0; i < count; ++i)
        halves[i] = __half2float(half[i]);
    expect_equal(out, halves, "half element", result);

    std::uint32_t found = 0;
    QS_TRY(found_by(d_found, found));
    if (found != 0)
        result = {result.name, false, "found a fault in good weights"};
    values[count - 1] = 1e5F; // no half holds it
    QS_TRY(upload(values, d_out));
    QS_TRY(narrow(d_out.data(), count, d_half.data(), d_found.data(), nullptr));
    bf16[count / 2] = 0x7FC0; // NaN
    QS_TRY(upload(bf16, d_bf16));
    QS_TRY(widen(FileType::bf16, d_bf16.data(), count, d_out.data(), d_found.data(), nullptr));
    QS_TRY(found_by(d_found, found));
    if (found != (found_not_finite | found_too_large))
        result = {result.name, false, "NaN or a weight too large for a half went unnoticed"};
    return {};
}

Status check_rotation(int rows, int cols, int block, bool with_signs, std::mt19937& random,
                      CheckResult& result) {
    std::vector<float> x = normal_values(static_cast<std::size_t>(rows) * cols, random);
    std::vector<float> signs = normal_values(rows, random);
    for (float& sign : signs)
        sign = sign < 0.0F ? -1.0F : 1.0F;
    const std::vector<float> factors = normal_values(cols, random);
    DeviceBuffer<float> d_x;
    DeviceBuffer<float> d_signs;
    DeviceBuffer<float> d_factors;
    QS_TRY(upload(x, d_x));
    QS_TRY(upload(signs, d_signs));
    QS_TRY(upload(factors, d_factors));
    QS_TRY(scale_columns(d_x.data(), rows, cols, d_factors.data(), nullptr));
    QS_TRY(rotate_columns(d_x.data(), rows, cols, block, with_signs ? d_signs.data() : nullptr, nullptr));
    std::vector<float> out;
    QS_TRY(download(d_x, out, "running rotate_columns"));

    const float norm = 1.0F / std::sqrt(static_cast<float>(block));
    const auto at = [&](int r, int c) -> float& { return x[static_cast<std::size_t>(r) * cols + c]; };
    for (int c = 0; c < cols; ++c) {
        for (int r = 0; r < rows; ++r)
            at(r, c) = at(r, c) * factors[c] * (with_signs ? signs[r] : 1.0F);
        for (int half = 1; half < block; half *= 2)
            for (int r = 0; r < rows; ++r)
                if ((r / half) % 2 == 0) {
                    const float a = at(r, c);
                    const float b = at(r + half, c);
                    at(r, c) = a + b;
                    at(r + half, c) = a - b;
                }
        for (int r = 0; r < rows; ++r)
            at(r, c) *= norm;
    }
    expect_equal(out, x, "element", result);
    return {};
}

} // namespace

void check_load(std::mt19937& random, CheckList& results) {
    run_check(results, "widen, narrow", [&](CheckResult& r) { return check_conversions(random, r); });
    run_check(results, "rotate_columns 4096 x 33, block 4096",
              [&](CheckResult& r) { return check_rotation(4096, 33, 4096, true, random, r); });
    run_check(results, "rotate_columns 192 x 70, block 64",
              [&](CheckResult& r) { return check_rotation(192, 70, 64, false, random, r); });
}

} // namespace quantscope::kernels
