// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/support.h"
#include "kernels/gemm/multiply.h"

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

} // namespace

void check_gemm(std::mt19937& random, std::vector<CheckResult>& results) {
    const Shape shapes[] = {{1, 64, 64},     {1, 4096, 4096}, {3, 100, 200},   {7, 48, 1000},
                            {8, 256, 11008}, {9, 130, 704},   {16, 333, 4096}, {17, 100, 1000},
                            {40, 258, 2048}, {130, 130, 330}};
    for (const Shape& shape : shapes) {
        run_check(results, name_of("multiply int4", shape),
                  [&](CheckResult& r) { return check_integer(WeightFormat::int4, shape, random, r); });
        run_check(results, name_of("multiply int8", shape),
                  [&](CheckResult& r) { return check_integer(WeightFormat::int8, shape, random, r); });
        run_check(results, name_of("multiply f16", shape),
                  [&](CheckResult& r) { return check_half(shape, random, r); });
    }
}

} // namespace quantscope::kernels
