// SPDX-License-Identifier: Apache-2.0
// quantscope-kernels check [SEED [NAME]] | bench [whole-steps|decode|steps|gemm|prefill]: the kernels alone,
// without the engine.
#include "kernels/base/features.h"
#include "kernels/bench/decode_bench.h"
#include "kernels/bench/gemm_bench.h"
#include "kernels/bench/measure.h"
#include "kernels/bench/prefill_bench.h"
#include "kernels/bench/step_bench.h"
#include "kernels/check/check.h"
#include "kernels/gemm/multiply.h"
#include "kernels/gemm/wgmma_gemm.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace quantscope::kernels {
namespace {

/// No device at all is an answer of its own: ctest takes the sentence for a skipped test.
int report_checks(unsigned seed, const char* only) {
    const DeviceFeatures* device = nullptr;
    if (const Status asked = device_features(device); !asked.ok()) {
        std::fprintf(stderr, "quantscope-kernels: nothing was checked: %s\n", asked.message.c_str());
        return 1;
    }
    std::printf("code for sm_%d%s%s\n", device->code_arch / 10, device->hopper ? "a" : "",
                device->compiled_now ? ", compiled from PTX by the driver" : "");
    int failed = 0;
    int skipped = 0;
    for (const CheckResult& result : run_checks(seed, only)) {
        std::printf("%-6s %-40s %s\n",
                    !result.passed   ? "FAILED"
                    : result.skipped ? "skip"
                                     : "ok",
                    result.name.c_str(), result.detail.c_str());
        failed += result.passed ? 0 : 1;
        skipped += result.skipped ? 1 : 0;
    }
    std::printf("%d failed, %d skipped (seed %u)\n", failed, skipped, seed);
    return failed == 0 ? 0 : 1;
}

constexpr int max_bench_batch = 128;

/// The linears of one Llama-2-7B decode step: 32 layers of qkv, o, gate_up, down as one graph with dependent
/// launches.
Status bench_step(WeightFormat format, int batch, double ceiling, const SplitSums& sums,
                  cudaStream_t stream) {
    struct Linear {
        int rows, cols;
        RowOrder order;
        Epilogue epilogue;
    };
    const Linear linears[] = {{12288, 4096, RowOrder::plain, Epilogue::store_f16},
                              {4096, 4096, RowOrder::plain, Epilogue::add_residual},
                              {22016, 4096, RowOrder::gate_up, Epilogue::silu_mul},
                              {4096, 11008, RowOrder::plain, Epilogue::add_residual}};
    constexpr int layers = 32;
    std::vector<PackedWeights> weights(layers * 4);
    std::size_t bytes = 0;
    for (int i = 0; i < layers * 4; ++i) {
        PackedWeights& w = weights[i];
        w.format = format;
        w.order = linears[i % 4].order;
        w.rows = linears[i % 4].rows;
        w.cols = linears[i % 4].cols;
        QS_TRY(
            w.tiles.allocate(static_cast<std::size_t>(w.row_tiles()) * w.col_tiles() * tile_bytes(format)));
        QS_TRY(w.scales.allocate(w.row_tiles() * 16));
        const bool f16 = format == WeightFormat::f16;
        QS_TRY(fill_random(reinterpret_cast<std::uint32_t*>(w.tiles.data()), w.tiles.size() / 4, i,
                           f16 ? 0x83FF83FFU : 0xFFFFFFFFU, f16 ? 0x20002000U : 0, stream));
        QS_TRY(fill_random(reinterpret_cast<std::uint32_t*>(w.scales.data()), w.scales.size(), i, 0x007FFFFFU,
                           0x38000000U, stream));
        bytes += w.tiles.bytes() + w.scales.bytes();
    }
    DeviceBuffer<std::uint32_t> activations;
    DeviceBuffer<float> scales;
    DeviceBuffer<float> out;
    QS_TRY(activations.allocate(static_cast<std::size_t>(max_bench_batch) * 11008 / 2));
    QS_TRY(scales.allocate(max_bench_batch));
    QS_TRY(out.allocate(static_cast<std::size_t>(max_bench_batch) * 22016));
    QS_TRY(fill_random(activations.data(), activations.size(), 7, 0x83FF83FFU, 0x20002000U, stream));
    QS_TRY(fill_random(reinterpret_cast<std::uint32_t*>(scales.data()), scales.size(), 7, 0x007FFFFFU,
                       0x38000000U, stream));

    RowLayout layout{};
    QS_TRY(row_layout_for(format, batch, false, layout));
    float ms = 0;
    QS_TRY(median_graph_ms(
        31, stream,
        [&]() -> Status {
            for (int i = 0; i < layers * 4; ++i)
                QS_TRY(multiply({&weights[i], activations.data(), scales.data(), batch, out.data(),
                                 linears[i % 4].epilogue, i > 0, layout, &sums},
                                stream));
            return {};
        },
        ms));
    const double floor_ms = bytes / ceiling * 1e3;
    std::printf("%-5s batch %2d: %.3f ms, floor %.3f ms, %.0f %% of the read ceiling\n",
                format == WeightFormat::int4   ? "int4"
                : format == WeightFormat::int8 ? "int8"
                                               : "f16",
                batch, ms, floor_ms, 100 * floor_ms / ms);
    return {};
}

Status bench(bool steps, bool gemm, bool prefill) {
    cudaStream_t stream{};
    QS_CUDA_TRY(cudaStreamCreate(&stream), "creating a stream");
    double ceiling = 0;
    QS_TRY(measure_read_ceiling(stream, ceiling));
    std::printf("read ceiling %.0f GB/s\n", ceiling / 1e9);
    SplitSums sums;
    QS_TRY(sums.allocate());
    for (const WeightFormat format : {WeightFormat::f16, WeightFormat::int8, WeightFormat::int4})
        for (const int batch : {1, 8, 16, 17, 32, 64, 128})
            if (steps)
                QS_TRY(bench_step(format, batch, ceiling, sums, stream));
    if (gemm)
        QS_TRY(bench_many_rows(stream));
    if (prefill)
        QS_TRY(bench_prefill(stream));
    QS_CUDA_TRY(cudaStreamDestroy(stream), "destroying a stream");
    return {};
}

} // namespace
} // namespace quantscope::kernels

int main(int argc, char** argv) {
    using namespace quantscope::kernels;
    static_cast<void>(std::setvbuf(stdout, nullptr, _IOLBF, 0));
    if (argc >= 2 && std::strcmp(argv[1], "check") == 0)
        return report_checks(argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1U,
                             argc > 3 ? argv[3] : "");
    if (argc >= 2 && std::strcmp(argv[1], "bench") == 0) {
        const bool one = argc > 2;
        const bool whole = one && std::strcmp(argv[2], "whole-steps") == 0;
        const bool decode = one && std::strcmp(argv[2], "decode") == 0;
        const Status status = whole    ? bench_whole_steps()
                              : decode ? bench_decode_steps()
                                       : bench(!one || std::strcmp(argv[2], "steps") == 0,
                                               !one || std::strcmp(argv[2], "gemm") == 0,
                                               !one || std::strcmp(argv[2], "prefill") == 0);
        if (!status.ok())
            std::fprintf(stderr, "quantscope-kernels: %s\n", status.message.c_str());
        return status.ok() ? 0 : 1;
    }
    std::fprintf(stderr, "usage: quantscope-kernels check [SEED [NAME]] | bench "
                         "[whole-steps|decode|steps|gemm|prefill]\n");
    return 2;
}
