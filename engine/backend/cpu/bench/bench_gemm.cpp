// SPDX-License-Identifier: Apache-2.0
// quantscope-bench-gemm [rounds]: INT8 and 4-bit products of the CPU engine beside oneDNN's FP32 ones
// (weights in the layout it likes best, all threads), at Llama-2-7B's layer shapes. The three take turns;
// medians are compared.
#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/linear.h"
#include "engine/backend/cpu/onednn_products.h"
#include "engine/backend/cpu/parallel.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>
#include <thread>
#include <vector>

namespace {

using namespace quantscope;
using namespace quantscope::cpu;
using dnnl::memory;

double ms_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void fill(float* values, std::size_t count) {
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
        state = state * 1664525U + 1013904223U;
        values[i] = static_cast<float>(state >> 8U) * 0x1.0p-23F - 1.0F;
    }
}

PackedWeights random_weights(Storage storage, std::int64_t outputs, std::int64_t inputs) {
    PackedWeights weights(storage, outputs, inputs);
    std::vector<float> rows(static_cast<std::size_t>(512 * inputs));
    fill(rows.data(), rows.size());
    for (std::int64_t first = 0; first < outputs; first += 512) {
        weights.set_rows(first, rows);
    }
    return weights;
}

/// y = x W by oneDNN in f32, made once.
class Fp32Product {
  public:
    Fp32Product(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const dnnl::engine& engine,
                memory* weights)
        : stream_(engine) {
        const memory::desc x({rows, inputs}, memory::data_type::f32, memory::format_tag::ab);
        const memory::desc any({inputs, outputs}, memory::data_type::f32, memory::format_tag::any);
        const memory::desc y({rows, outputs}, memory::data_type::f32, memory::format_tag::ab);
        const dnnl::matmul::primitive_desc description({x, any, y}, engine);
        primitive_ = dnnl::matmul(description);
        x_ = memory(x, engine);
        y_ = memory(y, engine);
        if (!*weights || weights->get_desc() != description.weights_desc()) {
            *weights = memory(description.weights_desc(), engine);
            fill(static_cast<float*>(weights->get_data_handle()),
                 weights->get_desc().get_size() / sizeof(float));
        }
        weights_ = *weights;
        fill(static_cast<float*>(x_.get_data_handle()), static_cast<std::size_t>(rows * inputs));
    }
    void run() {
        primitive_.execute(stream_, {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, weights_}, {DNNL_ARG_DST, y_}});
        stream_.wait();
    }

  private:
    dnnl::stream stream_;
    dnnl::matmul primitive_;
    memory x_, weights_, y_;
};

void bench_shape(std::int64_t inputs, std::int64_t outputs, int rounds, const dnnl::engine& engine) {
    const PackedWeights int8 = random_weights(Storage::int8, outputs, inputs);
    const PackedWeights int4 = random_weights(Storage::int4, outputs, inputs);
    memory fp32_weights;
    for (const int rows : {1, 8, 32, 128}) {
        const int threads = thread_count();
        omp_set_num_threads(threads);
        Fp32Product fp32(rows, outputs, inputs, engine, &fp32_weights);
        LinearInput a8(rows, inputs, Precision::int8, 1.0F);
        LinearInput a4(rows, inputs, Precision::int4, 0.9F);
        fill(a8.values(), static_cast<std::size_t>(rows * a8.stride()));
        fill(a4.values(), static_cast<std::size_t>(rows * a4.stride()));
        std::vector<float> y(static_cast<std::size_t>(rows * outputs));
        std::vector<double> times[3];
        for (int round = -1; round < rounds; ++round) { // the first is a warm-up
            omp_set_num_threads(threads);
            const double fp32_ms = ms_of([&] { fp32.run(); });
            // oneDNN's idle threads spin for a while; ours must not pay for that.
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            const double int8_ms = ms_of([&] {
                a8.prepare(rows, inputs); // quantizing the activations is part of the price
                multiply(int8, a8, y.data(), outputs);
            });
            const double int4_ms = ms_of([&] {
                a4.prepare(rows, inputs);
                multiply(int4, a4, y.data(), outputs);
            });
            if (round >= 0) {
                times[0].push_back(fp32_ms);
                times[1].push_back(int8_ms);
                times[2].push_back(int4_ms);
            }
        }
        const double f = median(times[0]);
        const double i8 = median(times[1]);
        const double i4 = median(times[2]);
        std::printf("%5lld -> %5lld  %5d  %9.3f  %9.3f  %9.3f  %9.2f  %9.2f\n",
                    static_cast<long long>(inputs), static_cast<long long>(outputs), rows, f, i8, i4, f / i8,
                    f / i4);
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 11;
    try {
        const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
        std::printf("%d threads, kernels %s, oneDNN int8 %s, medians of %d rounds, ms\n", thread_count(),
                    kernels().name, onednn_available() ? "on AMX" : "not used", rounds);
        std::printf("shape           batch       fp32       int8       int4  fp32/int8  fp32/int4\n");
        bench_shape(4096, 4096, rounds, engine);
        bench_shape(4096, 12288, rounds, engine);
        bench_shape(4096, 22016, rounds, engine);
        bench_shape(11008, 4096, rounds, engine);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "quantscope-bench-gemm: %s\n", error.what());
        return 1;
    }
    return 0;
}
