// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/canonical.h"
#include "kernels/check/support.h"
#include "kernels/gemm/multiply.h"

#include <algorithm>
#include <utility>

namespace quantscope::kernels {
namespace {

struct Shape {
    int batch;
    int rows;
    int cols;
};

std::string name_of(const char* kernel, const Shape& shape) {
    return std::string(kernel) + " " + std::to_string(shape.batch) + " x " + std::to_string(shape.rows) +
           " x " + std::to_string(shape.cols);
}

/// Integer weights: the f32 output must equal the reference's arithmetic bit for bit.
Status check_integer(WeightFormat format, const Shape& s, std::mt19937& random, CheckResult& result) {
    const int limit = format == WeightFormat::int4 ? 7 : 127;
    const int padded_cols = (s.cols + 63) / 64 * 64;
    std::uniform_int_distribution<int> weight(-limit, limit);
    std::uniform_int_distribution<int> activation(-127, 127);
    std::uniform_real_distribution<float> scale(0.001F, 0.1F);
    std::vector<std::int8_t> w(static_cast<std::size_t>(s.rows) * s.cols);
    std::vector<std::int8_t> x(static_cast<std::size_t>(s.batch) * s.cols);
    std::vector<std::int8_t> x_padded(static_cast<std::size_t>(s.batch) * padded_cols);
    std::vector<float> w_scales(s.rows);
    std::vector<float> x_scales(s.batch);
    for (auto& value : w)
        value = static_cast<std::int8_t>(weight(random));
    for (auto& value : w_scales)
        value = scale(random);
    for (auto& value : x_scales)
        value = scale(random);
    for (int b = 0; b < s.batch; ++b)
        for (int k = 0; k < s.cols; ++k)
            x_padded[static_cast<std::size_t>(b) * padded_cols + k] =
                x[static_cast<std::size_t>(b) * s.cols + k] = static_cast<std::int8_t>(activation(random));

    DeviceBuffer<std::int8_t> d_w;
    DeviceBuffer<std::int8_t> d_x;
    DeviceBuffer<float> d_w_scales;
    DeviceBuffer<float> d_x_scales;
    QS_TRY(upload(w, d_w));
    QS_TRY(upload(x_padded, d_x));
    QS_TRY(upload(w_scales, d_w_scales));
    QS_TRY(upload(x_scales, d_x_scales));
    PackedWeights packed;
    QS_TRY(pack_weights(format, RowOrder::plain, d_w.data(), d_w_scales.data(), s.rows, s.cols, packed,
                        nullptr));
    std::vector<float> out(static_cast<std::size_t>(s.batch) * s.rows, std::nanf(""));
    DeviceBuffer<float> d_out;
    QS_TRY(upload(out, d_out)); // poisoned
    QS_TRY(multiply({&packed, d_x.data(), d_x_scales.data(), s.batch, d_out.data(), Epilogue::store_f32},
                    nullptr));
    QS_CUDA_TRY(cudaMemcpy(out.data(), d_out.data(), d_out.bytes(), cudaMemcpyDeviceToHost),
                "running multiply");

    std::vector<std::int32_t> acc(out.size());
    reference_int_product(x.data(), w.data(), s.batch, s.rows, s.cols, acc.data());
    result.passed = true;
    for (int b = 0; b < s.batch; ++b) {
        for (int n = 0; n < s.rows; ++n) {
            const std::size_t at = static_cast<std::size_t>(b) * s.rows + n;
            const float expected = x_scales[b] * w_scales[n] * static_cast<float>(acc[at]);
            if (out[at] != expected && result.passed) {
                result.passed = false;
                result.detail = "element [" + std::to_string(b) + "][" + std::to_string(n) + "] is " +
                                std::to_string(out[at]) + ", expected " + std::to_string(expected);
            }
        }
    }
    if (result.passed)
        result.detail = "bit for bit";
    return {};
}

Status check_half(const Shape& s, std::mt19937& random, CheckResult& result) {
    const int padded_cols = (s.cols + 63) / 64 * 64;
    std::normal_distribution<float> normal;
    std::vector<__half> w(static_cast<std::size_t>(s.rows) * s.cols);
    std::vector<__half> x(static_cast<std::size_t>(s.batch) * padded_cols, __float2half(0.0F));
    for (auto& value : w)
        value = __float2half(normal(random));
    for (int b = 0; b < s.batch; ++b)
        for (int k = 0; k < s.cols; ++k)
            x[static_cast<std::size_t>(b) * padded_cols + k] = __float2half(normal(random));
    DeviceBuffer<__half> d_w;
    DeviceBuffer<__half> d_x;
    QS_TRY(upload(w, d_w));
    QS_TRY(upload(x, d_x));
    PackedWeights packed;
    QS_TRY(pack_weights_f16(RowOrder::plain, d_w.data(), s.rows, s.cols, packed, nullptr));
    std::vector<float> out(static_cast<std::size_t>(s.batch) * s.rows, std::nanf(""));
    DeviceBuffer<float> d_out;
    QS_TRY(upload(out, d_out));
    QS_TRY(multiply({&packed, d_x.data(), nullptr, s.batch, d_out.data(), Epilogue::store_f32}, nullptr));
    QS_CUDA_TRY(cudaMemcpy(out.data(), d_out.data(), d_out.bytes(), cudaMemcpyDeviceToHost),
                "running multiply");

    double error = 0.0;
    double norm = 0.0;
    for (int b = 0; b < s.batch; ++b) {
        for (int n = 0; n < s.rows; ++n) {
            double expected = 0.0;
            for (int k = 0; k < s.cols; ++k)
                expected +=
                    static_cast<double>(__half2float(x[static_cast<std::size_t>(b) * padded_cols + k])) *
                    static_cast<double>(__half2float(w[static_cast<std::size_t>(n) * s.cols + k]));
            const double difference = out[static_cast<std::size_t>(b) * s.rows + n] - expected;
            error += difference * difference;
            norm += expected * expected;
        }
    }
    const double relative = std::sqrt(error / norm);
    result.passed = relative < 1e-5; // f32 accumulation of exact products; NaN (an unwritten output) fails
    result.detail = "relative error " + figure(relative);
    return {};
}

/// Every epilogue: multiply() over the whole batch against stream_gemm() on pieces of it, bit for bit; that a
/// row does not depend on its neighbours follows. Integers are also held against the CPU engine's arithmetic,
/// bit for bit, and all against double's.
Status check_epilogue(WeightFormat format, Epilogue epilogue, const Shape& s, std::mt19937& random,
                      CheckResult& result) {
    const int padded = (s.cols + 63) / 64 * 64;
    const bool f16 = format == WeightFormat::f16;
    const RowOrder order = epilogue == Epilogue::silu_mul ? RowOrder::gate_up : RowOrder::plain;
    const int out_cols = epilogue == Epilogue::silu_mul ? s.rows / 2 : s.rows;
    const std::vector<float> w = normal_values(static_cast<std::size_t>(s.rows) * s.cols, random, 2.0F);
    const std::vector<float> x = normal_values(static_cast<std::size_t>(s.batch) * padded, random, 2.0F);
    const std::vector<float> before = normal_values(static_cast<std::size_t>(s.batch) * out_cols, random);
    const std::vector<float> w_scales(s.rows, 0.01F);
    const std::vector<float> x_scales(s.batch, 0.02F);
    std::vector<std::int8_t> w_codes(w.size());
    std::vector<std::int8_t> x_codes(x.size(), 0);
    std::vector<__half> w_halves(w.size());
    std::vector<__half> x_halves(x.size(), __float2half(0.0F));
    for (std::size_t i = 0; i < w.size(); ++i) {
        w_codes[i] = static_cast<std::int8_t>(std::fmax(-7.0F, std::fmin(7.0F, w[i])));
        w_halves[i] = __float2half(0.1F * w[i]);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (static_cast<int>(i % padded) < s.cols) {
            x_codes[i] = static_cast<std::int8_t>(10.0F * x[i]);
            x_halves[i] = __float2half(0.1F * x[i]);
        }
    }
    DeviceBuffer<std::int8_t> d_w;
    DeviceBuffer<std::int8_t> d_x;
    DeviceBuffer<__half> d_w_halves;
    DeviceBuffer<__half> d_x_halves;
    DeviceBuffer<float> d_w_scales;
    DeviceBuffer<float> d_x_scales;
    DeviceBuffer<float> d_out;
    DeviceBuffer<float> d_pieces;
    QS_TRY(upload(w_codes, d_w));
    QS_TRY(upload(x_codes, d_x));
    QS_TRY(upload(w_halves, d_w_halves));
    QS_TRY(upload(x_halves, d_x_halves));
    QS_TRY(upload(w_scales, d_w_scales));
    QS_TRY(upload(x_scales, d_x_scales));
    QS_TRY(upload(before, d_out));
    QS_TRY(upload(before, d_pieces));
    PackedWeights packed;
    if (f16)
        QS_TRY(pack_weights_f16(order, d_w_halves.data(), s.rows, s.cols, packed, nullptr));
    else
        QS_TRY(pack_weights(format, order, d_w.data(), d_w_scales.data(), s.rows, s.cols, packed, nullptr));
    const char* const rows =
        f16 ? reinterpret_cast<const char*>(d_x_halves.data()) : reinterpret_cast<const char*>(d_x.data());
    QS_TRY(multiply({&packed, rows, d_x_scales.data(), s.batch, d_out.data(), epilogue}, nullptr));
    for (int first = 0; first < s.batch; first += 5)
        QS_TRY(stream_gemm({&packed, rows + static_cast<std::ptrdiff_t>(first) * padded * (f16 ? 2 : 1),
                            d_x_scales.data() + first, std::min(5, s.batch - first),
                            d_pieces.data() + static_cast<std::ptrdiff_t>(first) * out_cols, epilogue},
                           nullptr));
    std::vector<float> out;
    std::vector<float> pieces;
    QS_TRY(download(d_out, out, "running multiply"));
    QS_TRY(download(d_pieces, pieces, "running stream_gemm"));
    expect_equal(out, pieces, "element", result);

    std::vector<double> expected(out.size());
    std::vector<float> exact(out.size()); // integers only
    const auto dot = [&](int b, int n) {
        double sum = 0.0;
        for (int k = 0; k < s.cols; ++k) {
            const std::size_t at_x = static_cast<std::size_t>(b) * padded + k;
            const std::size_t at_w = static_cast<std::size_t>(n) * s.cols + k;
            sum += f16 ? static_cast<double>(__half2float(x_halves[at_x])) * __half2float(w_halves[at_w])
                       : static_cast<double>(x_codes[at_x]) * w_codes[at_w];
        }
        return sum;
    };
    const double unit = f16 ? 1.0 : 0.02F * 0.01F;
    const auto scaled = [](double sum) { return (0.02F * 0.01F) * static_cast<float>(sum); };
    for (int b = 0; b < s.batch; ++b) {
        for (int n = 0; n < out_cols; ++n) {
            const std::size_t at = static_cast<std::size_t>(b) * out_cols + n;
            const double sum = dot(b, n);
            const double up_sum = epilogue == Epilogue::silu_mul ? dot(b, n + out_cols) : 0.0;
            const double y = sum * unit;
            expected[at] = epilogue == Epilogue::silu_mul       ? y / (1.0 + std::exp(-y)) * up_sum * unit
                           : epilogue == Epilogue::add_residual ? before[at] + y
                                                                : y;
            exact[at] = epilogue == Epilogue::silu_mul ? canonical::silu_times(scaled(sum), scaled(up_sum))
                        : epilogue == Epilogue::add_residual ? before[at] + scaled(sum)
                                                             : scaled(sum);
        }
    }
    const double error = relative_error(out, expected);
    result.passed = result.passed && error < 1e-5;
    if (!f16)
        expect_equal(out, exact, "element", result);
    result.detail += ", relative error " + figure(error);
    return {};
}

} // namespace

void check_gemm(std::mt19937& random, CheckList& results) {
    const Shape shapes[] = {{1, 64, 64},     {1, 4096, 4096}, {3, 100, 200},   {7, 48, 1000},
                            {8, 256, 11008}, {9, 130, 704},   {16, 333, 4096}, {17, 100, 1000},
                            {40, 258, 2048}, {130, 130, 330}, {33, 8450, 128}};
    for (const Shape& shape : shapes) {
        run_check(results, name_of("multiply int4", shape),
                  [&](CheckResult& r) { return check_integer(WeightFormat::int4, shape, random, r); });
        run_check(results, name_of("multiply int8", shape),
                  [&](CheckResult& r) { return check_integer(WeightFormat::int8, shape, random, r); });
        run_check(results, name_of("multiply f16", shape),
                  [&](CheckResult& r) { return check_half(shape, random, r); });
    }
    const Shape few[] = {{11, 196, 1100}, {11, 196, 4500},  {50, 196, 1100}, {139, 196, 1100},
                         {8, 14000, 128}, {16, 27000, 128}, {5, 14000, 704}}; // integers: several passes
    for (const Shape& shape : few) {
        for (const auto& [format, format_name] :
             {std::pair{WeightFormat::int4, "int4"}, std::pair{WeightFormat::int8, "int8"},
              std::pair{WeightFormat::f16, "f16"}}) {
            if (format == WeightFormat::f16 && shape.rows > 10000)
                continue;
            for (const auto& [epilogue, epilogue_name] :
                 {std::pair{Epilogue::store_f32, ""}, std::pair{Epilogue::add_residual, " + residual"},
                  std::pair{Epilogue::silu_mul, ", SiLU"}}) {
                run_check(results,
                          name_of(("multiply " + std::string(format_name) + epilogue_name).c_str(), shape),
                          [&, format = format, epilogue = epilogue](CheckResult& r) {
                              return check_epilogue(format, epilogue, shape, random, r);
                          });
            }
        }
    }
}

} // namespace quantscope::kernels
