// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/decode_bench.h"

#include "kernels/bench/measure.h"
#include "kernels/check/step_model.h"

#include <cstdio>
#include <vector>

namespace quantscope::kernels {
namespace {

constexpr int layers = 8;
constexpr int model_layers = 32;
constexpr int position = 144;
constexpr int repeats = 15;
constexpr const char* names[] = {"norm",   "qkv",  "attend", "quantize",  "o_proj",
                                 "norm 2", "gate", "rotate", "down_proj", "lm_head"};
constexpr int kernels = 10;

Status make(StepModel& model, WeightFormat format, int rows, int layer_count) {
    return model.make(llama_2_7b(layer_count, position + 16), format, format == WeightFormat::int4 ? 256 : 1,
                      std::vector<std::int32_t>(static_cast<std::size_t>(rows), position), 1);
}

Status time_step(StepModel& model, cudaStream_t stream, float& ms) {
    return median_graph_ms(
        repeats, stream, [&] { return model.run_separately(stream); }, ms);
}

Status bench_step(const char* name, WeightFormat format, int rows, cudaStream_t stream) {
    StepModel model;
    QS_TRY(make(model, format, rows, layers));
    float whole = 0;
    float without_head = 0;
    QS_TRY(time_step(model, stream, whole));
    model.skip = 1U << 9U;
    QS_TRY(time_step(model, stream, without_head));
    const float layer = without_head / layers;
    std::printf("%-4s %2d rows: step %.3f ms; us a layer %.1f, less without:", name, rows,
                layer * model_layers + whole - without_head, layer * 1e3F);
    for (int kernel = 0; kernel < kernels; ++kernel) {
        model.skip = 1U << 9U | 1U << static_cast<unsigned>(kernel);
        float ms = without_head;
        if (kernel + 1 < kernels)
            QS_TRY(time_step(model, stream, ms));
        std::printf(" %s %.1f", names[kernel],
                    kernel + 1 < kernels ? (without_head - ms) / layers * 1e3F
                                         : (whole - without_head) * 1e3F);
    }
    for (const auto& [what, mask] : {std::pair{"linears only", 0x2ADU}, {"no linears", 0x352U}}) {
        float ms = 0;
        model.skip = mask;
        QS_TRY(time_step(model, stream, ms));
        std::printf("; %s %.1f", what, ms / layers * 1e3F);
    }
    std::printf("\n");
    return {};
}

constexpr std::pair<const char*, WeightFormat> formats[] = {
    {"f16", WeightFormat::f16}, {"int8", WeightFormat::int8}, {"int4", WeightFormat::int4}};

} // namespace

Status bench_decode_steps() {
    cudaStream_t stream{};
    QS_CUDA_TRY(cudaStreamCreate(&stream), "creating a stream");
    for (const int rows : {8, 16, 32, 64})
        for (const auto& [name, format] : formats)
            QS_TRY(bench_step(name, format, rows, stream));
    QS_CUDA_TRY(cudaStreamDestroy(stream), "destroying a stream");
    return {};
}

} // namespace quantscope::kernels
