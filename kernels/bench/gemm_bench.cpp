// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/gemm_bench.h"

#include "kernels/bench/cublaslt.h"
#include "kernels/bench/measure.h"
#include "kernels/gemm/wgmma_gemm.h"
#include "kernels/rows/row_transform.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace quantscope::kernels {
namespace {

constexpr int batch = 2048;
constexpr int copies = 3;  ///< of the weights, so that the L2 cache does not hold them
constexpr int rounds = 12; ///< turn about; the first one is not counted
constexpr int steady_rounds = 3;
constexpr float steady_ms = 120.0F;

constexpr int largest_code(WeightFormat format) {
    return format == WeightFormat::int4 ? 7 : 127;
}

/// A matrix as codes or halves [rows][cols], or in slabs.
struct Matrix {
    DeviceBuffer<std::uint8_t> values;
    DeviceBuffer<float> scales;

    Status make(const DeviceBuffer<float>& x, int rows, int cols, WeightFormat format, RowLayout layout,
                cudaStream_t stream) {
        const bool f16 = format == WeightFormat::f16;
        QS_TRY(values.allocate(static_cast<std::size_t>(rows) * slabs_of(cols, f16 ? 2 : 1) * slab_bytes));
        QS_TRY(scales.allocate(rows));
        RowTransform t;
        t.x = x.data();
        t.rows = rows;
        t.cols = cols;
        t.store = f16 ? RowStore::f16 : RowStore::codes;
        t.layout = layout;
        t.out = values.data();
        t.scales = scales.data();
        t.largest_code = largest_code(format);
        return transform_rows(t, {stream});
    }
};

struct Contender {
    std::string name;
    std::function<Status(int copy)> run;
    std::vector<float> times{};  ///< ms, turn about
    std::vector<float> steady{}; ///< ms, each alone
};

float median(std::vector<float> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// What one format multiplies.
struct Operands {
    Matrix slabs;
    PackedWeights packed[copies];
    Matrix plain_rows;
    Matrix plain_weights[copies];
};

Status make_operands(WeightFormat format, int rows, int cols, const DeviceBuffer<float>& w,
                     const DeviceBuffer<float>& x, Operands& out, cudaStream_t stream) {
    QS_TRY(out.slabs.make(x, batch, cols, format, RowLayout::slabs, stream));
    QS_TRY(out.plain_rows.make(x, batch, cols, format, RowLayout::rows, stream));
    for (int copy = 0; copy < copies; ++copy) {
        Matrix& codes = out.plain_weights[copy];
        QS_TRY(codes.make(w, rows, cols, format, RowLayout::rows, stream));
        if (format == WeightFormat::f16)
            QS_TRY(pack_weights_f16(RowOrder::plain, reinterpret_cast<const __half*>(codes.values.data()),
                                    rows, cols, out.packed[copy], stream));
        else
            QS_TRY(pack_weights(format, RowOrder::plain,
                                reinterpret_cast<const std::int8_t*>(codes.values.data()),
                                codes.scales.data(), rows, cols, out.packed[copy], stream));
    }
    return {};
}

Status run_turns(const Contender& c, int turns, float& ms, cudaStream_t stream) {
    return once_ms(
        stream,
        [&]() -> Status {
            for (int i = 0; i < turns * copies; ++i)
                QS_TRY(c.run(i % copies));
            return {};
        },
        ms);
}

Status bench_shape(int rows, int cols, CublasLt* lt8, CublasLt* lt16, cudaStream_t stream) {
    DeviceBuffer<float> w;
    DeviceBuffer<float> x;
    DeviceBuffer<float> out;
    QS_TRY(w.allocate(static_cast<std::size_t>(rows) * cols));
    QS_TRY(x.allocate(static_cast<std::size_t>(batch) * cols));
    QS_TRY(out.allocate(static_cast<std::size_t>(batch) * rows));
    QS_TRY(fill_normal(w.data(), w.size(), 1, stream));
    QS_TRY(fill_normal(x.data(), x.size(), 2, stream));
    Operands operands[3];
    std::vector<Contender> contenders;
    const char* const names[] = {"int4", "int8", "f16"};
    for (const WeightFormat format : {WeightFormat::int4, WeightFormat::int8, WeightFormat::f16}) {
        Operands& o = operands[static_cast<int>(format)];
        QS_TRY(make_operands(format, rows, cols, w, x, o, stream));
        const auto run_storing = [&o, &out, format, stream](Epilogue epilogue) {
            return [&o, &out, format, stream, epilogue](int copy) {
                StreamGemm gemm{
                    &o.packed[copy], o.slabs.values.data(), o.slabs.scales.data(), batch, out.data(),
                    epilogue};
                gemm.overlap_previous = true; // as the engine's products
                gemm.layout = RowLayout::slabs;
                gemm.code_shift = code_shift(gemm.layout, largest_code(format));
                return wgmma_gemm(gemm, stream);
            };
        };
        contenders.push_back({names[static_cast<int>(format)], run_storing(Epilogue::store_f32)});
        if (format == WeightFormat::int4)
            contenders.push_back({"int4 -> f16", run_storing(Epilogue::store_f16)});
    }
    const auto add_library = [&](CublasLt* lt, CublasLt::Type type, WeightFormat format,
                                 const char* name) -> Status {
        if (lt == nullptr)
            return {};
        const Operands& o = operands[static_cast<int>(format)];
        QS_TRY(lt->choose(type, rows, cols, batch, o.plain_weights[0].values.data(),
                          o.plain_rows.values.data(), out.data(), stream));
        contenders.push_back({name, [lt, &o, &out, stream](int copy) {
                                  return lt->run(o.plain_weights[copy].values.data(),
                                                 o.plain_rows.values.data(), out.data(), stream);
                              }});
        return {};
    };
    QS_TRY(add_library(lt8, CublasLt::Type::int8, WeightFormat::int8, "Lt int8"));
    QS_TRY(add_library(lt16, CublasLt::Type::f16, WeightFormat::f16, "Lt f16"));
    for (int round = 0; round < rounds; ++round) {
        for (Contender& c : contenders) {
            float ms = 0;
            QS_TRY(run_turns(c, 1, ms, stream));
            if (round > 0)
                c.times.push_back(ms / copies);
        }
    }
    for (int round = 0; round < steady_rounds; ++round)
        for (Contender& c : contenders) {
            const int turns = static_cast<int>(steady_ms / copies / median(c.times)) + 1;
            float ms = 0;
            QS_TRY(run_turns(c, turns / 2, ms, stream));
            QS_TRY(run_turns(c, turns, ms, stream));
            c.steady.push_back(ms / static_cast<float>(turns * copies));
        }
    std::printf("%5d x %5d:", rows, cols);
    const auto rate = [&](float ms) { return 2.0 * rows * cols * batch / ms / 1e9; };
    for (Contender& c : contenders)
        std::printf("  %s %.0f %.0f", c.name.c_str(), rate(median(c.times)), rate(median(c.steady)));
    std::printf("\n");
    return {};
}

} // namespace

Status bench_many_rows(cudaStream_t stream) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    if (!device->hopper) {
        std::printf("GEMM at M=2048: no wgmma on this device\n");
        return {};
    }
    CublasLt lt8;
    CublasLt lt16;
    Status opened = lt8.open();
    if (opened.ok())
        opened = lt16.open();
    if (!opened.ok())
        std::printf("%s\n", opened.message.c_str());
    std::printf(
        "GEMM at M=2048, TOP/s turn about (one clock for all) and each alone for 0.2 s (its own clock "
        "under the power limit; median of three); Lt: cuBLASLt\n");
    for (const auto& [rows, cols] : {std::pair{12288, 4096}, {4096, 4096}, {22016, 4096}, {4096, 11008}})
        QS_TRY(bench_shape(rows, cols, opened.ok() ? &lt8 : nullptr, opened.ok() ? &lt16 : nullptr, stream));
    return {};
}

} // namespace quantscope::kernels
