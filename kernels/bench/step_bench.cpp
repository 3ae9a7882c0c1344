// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/step_bench.h"

#include "kernels/bench/measure.h"
#include "kernels/check/step_model.h"

#include <cstdio>

namespace quantscope::kernels {
namespace {

const char* name_of(WeightFormat format) {
    return format == WeightFormat::int4 ? "int4" : format == WeightFormat::int8 ? "int8" : "f16";
}

Status bench_whole_step(WeightFormat format, int rows, double ceiling, cudaStream_t stream) {
    StepModel model;
    const std::vector<std::int32_t> positions(static_cast<std::size_t>(rows), 144);
    QS_TRY(model.make(llama_2_7b(32, 192), format, format == WeightFormat::int4 ? 256 : 1, positions, 1));
    const double floor_ms = static_cast<double>(model.weight_bytes + model.cache_bytes) / ceiling * 1e3;
    float whole = 0;
    float separate = 0;
    const bool fits = model.kernel.function != nullptr;
    if (fits)
        QS_TRY(median_ms(
            31, stream, [&] { return model.run_step(stream); }, whole));
    QS_TRY(median_graph_ms(
        31, stream, [&] { return model.run_separately(stream); }, separate));
    std::printf("%-4s %d rows: floor %.3f ms; separate kernels %.3f ms (%.0f %% of the read ceiling)",
                name_of(format), rows, floor_ms, separate, 100 * floor_ms / separate);
    if (fits)
        std::printf("; one kernel %.3f ms (%.0f %%)", whole, 100 * floor_ms / whole);
    std::printf("\n");
    return {};
}

} // namespace

Status bench_whole_steps() {
    cudaStream_t stream{};
    QS_CUDA_TRY(cudaStreamCreate(&stream), "creating a stream");
    double ceiling = 0;
    QS_TRY(measure_read_ceiling(stream, ceiling));
    std::printf("read ceiling %.0f GB/s\n", ceiling / 1e9);
    for (const WeightFormat format : {WeightFormat::int4, WeightFormat::int8, WeightFormat::f16})
        for (const int rows : {1, 2, 8})
            QS_TRY(bench_whole_step(format, rows, ceiling, stream));
    QS_CUDA_TRY(cudaStreamDestroy(stream), "destroying a stream");
    return {};
}

} // namespace quantscope::kernels
