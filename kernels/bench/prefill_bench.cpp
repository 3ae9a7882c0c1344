// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/prefill_bench.h"

#include "kernels/attention/attention.h"
#include "kernels/bench/measure.h"
#include "kernels/gemm/multiply.h"
#include "kernels/gemm/wgmma_gemm.h"
#include "kernels/rows/row_transform.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

namespace quantscope::kernels {
namespace {

constexpr int tokens = 2048;
constexpr int hidden = 4096;
constexpr int inner = 11008;
constexpr int layers = 32;
constexpr int copies = 4; ///< of the weights, so that the L2 cache does not hold them
constexpr int rounds = 9; ///< the first one is not counted

/// One layer's kernels over random numbers.
class Layer {
  public:
    Status make(WeightFormat format, cudaStream_t stream) {
        format_ = format;
        stream_ = stream;
        shape_ = {32, 32, 128, tokens};
        for (Linears& l : linears_) {
            QS_TRY(make_weights(3 * hidden, hidden, RowOrder::plain, l.qkv));
            QS_TRY(make_weights(hidden, hidden, RowOrder::plain, l.o));
            QS_TRY(make_weights(2 * inner, hidden, RowOrder::gate_up, l.gate_up));
            QS_TRY(make_weights(hidden, inner, RowOrder::plain, l.down));
        }
        QS_TRY(make_floats(tokens * hidden, residual_));
        QS_TRY(make_floats(tokens * 3 * hidden, qkv_));
        QS_TRY(make_floats(tokens * hidden, attended_));
        QS_TRY(make_floats(std::size_t{2} * tokens * inner, inner_)); // as wide as gate_up without SiLU
        QS_TRY(make_floats(hidden, gamma_));
        QS_TRY(make_floats(tokens * 64, cosines_));
        QS_TRY(make_floats(tokens * 64, sines_));
        QS_TRY(input_.allocate(std::size_t{tokens} * inner * 2));
        QS_TRY(scales_.allocate(tokens));
        QS_TRY(keys_.allocate(shape_.slot_size()));
        QS_TRY(values_.allocate(shape_.slot_size()));
        std::vector<std::int32_t> positions(tokens);
        std::iota(positions.begin(), positions.end(), 0);
        QS_TRY(slots_.allocate(tokens));
        QS_TRY(positions_.allocate(tokens));
        QS_CUDA_TRY(cudaMemset(slots_.data(), 0, slots_.bytes()), "clearing slots");
        QS_CUDA_TRY(cudaMemcpy(positions_.data(), positions.data(), positions_.bytes(), cudaMemcpyDefault),
                    "copying positions");
        return sums_.allocate();
    }

    struct Kernel {
        std::string name;
        std::function<Status(int copy)> run;
        bool in_layer = true;
        std::vector<float> times{};
    };
    std::vector<Kernel> kernels() {
        const int hadamard = format_ == WeightFormat::int4 ? 256 : 1;
        return {
            {"norm", [this](int) { return prepare(residual_, hidden, true, 1); }},
            {"qkv, RoPE, append", [this](int c) { return multiply_and_append(qkv(c), append(), stream_); }},
            {"attention", [this](int) { return attend(rows(), attended_.data(), nullptr, 0, how()); }},
            {"quantize", [this](int) { return prepare(attended_, hidden, false, 1); }},
            {"o",
             [this](int c) {
                 return multiply(gemm(linears_[c].o, residual_, Epilogue::add_residual), stream_);
             }},
            {"norm", [this](int) { return prepare(residual_, hidden, true, 1); }},
            {"gate_up",
             [this](int c) {
                 return multiply(gemm(linears_[c].gate_up, inner_, Epilogue::silu_mul), stream_);
             }},
            {"quantize inner", [this, hadamard](int) { return prepare(inner_, inner, false, hadamard); }},
            {"down",
             [this](int c) {
                 return multiply(gemm(linears_[c].down, residual_, Epilogue::add_residual), stream_);
             }},
            {"(qkv alone)", [this](int c) { return multiply(qkv(c), stream_); }, false},
            {"(RoPE, append)",
             [this](int) { return rotate_and_append(rows(), cosines_.data(), sines_.data(), how()); }, false},
            {"(gate_up without SiLU)",
             [this](int c) {
                 return multiply(gemm(linears_[c].gate_up, inner_, Epilogue::store_f32), stream_);
             },
             false},
        };
    }

  private:
    struct Linears {
        PackedWeights qkv, o, gate_up, down;
    };

    Status make_weights(int rows, int cols, RowOrder order, PackedWeights& w) {
        const bool f16 = format_ == WeightFormat::f16;
        w.format = format_;
        w.order = order;
        w.rows = rows;
        w.cols = cols;
        QS_TRY(
            w.tiles.allocate(static_cast<std::size_t>(w.row_tiles()) * w.col_tiles() * tile_bytes(format_)));
        QS_TRY(w.scales.allocate(w.row_tiles() * 16));
        QS_TRY(fill_random(reinterpret_cast<std::uint32_t*>(w.tiles.data()), w.tiles.size() / 4, ++seed_,
                           f16 ? 0x83FF83FFU : 0xFFFFFFFFU, f16 ? 0x20002000U : 0, stream_));
        return fill_random(reinterpret_cast<std::uint32_t*>(w.scales.data()), w.scales.size(), ++seed_,
                           0x007FFFFFU, 0x38000000U, stream_);
    }
    Status make_floats(std::size_t count, DeviceBuffer<float>& to) {
        QS_TRY(to.allocate(count));
        return fill_normal(to.data(), count, ++seed_, stream_);
    }

    Launch how() const { return {stream_, true}; }
    AttentionRows rows() const {
        AttentionRows r;
        r.shape = shape_;
        r.qkv = qkv_.data();
        r.keys = keys_.data();
        r.values = values_.data();
        r.slots = slots_.data();
        r.positions = positions_.data();
        r.rows = tokens;
        return r;
    }
    HeadAppend append() const { return {rows(), cosines_.data(), sines_.data()}; }
    StreamGemm gemm(const PackedWeights& weights, DeviceBuffer<float>& out, Epilogue epilogue) {
        StreamGemm g{&weights, input_.data(), scales_.data(), tokens, out.data(), epilogue};
        g.overlap_previous = true;
        g.layout = RowLayout::slabs;
        g.code_shift = code_shift(g.layout, largest_code());
        g.split_sums = &sums_;
        return g;
    }
    StreamGemm qkv(int copy) { return gemm(linears_[copy].qkv, qkv_, Epilogue::store_f32); }
    Status prepare(const DeviceBuffer<float>& x, int cols, bool norm, int hadamard) {
        RowTransform t;
        t.x = x.data();
        t.rows = tokens;
        t.cols = cols;
        t.normalize = norm;
        t.gamma = norm ? gamma_.data() : nullptr;
        t.hadamard_block = hadamard;
        t.store = format_ == WeightFormat::f16 ? RowStore::f16 : RowStore::codes;
        t.layout = RowLayout::slabs;
        t.out = input_.data();
        t.scales = scales_.data();
        t.largest_code = largest_code();
        return transform_rows(t, how());
    }

    int largest_code() const { return format_ == WeightFormat::int4 ? 7 : 127; }

    WeightFormat format_{};
    cudaStream_t stream_{};
    AttentionShape shape_;
    Linears linears_[copies];
    DeviceBuffer<float> residual_, qkv_, attended_, inner_, gamma_, cosines_, sines_, scales_;
    DeviceBuffer<std::uint8_t> input_;
    DeviceBuffer<__half> keys_, values_;
    DeviceBuffer<std::int32_t> slots_, positions_;
    SplitSums sums_;
    unsigned seed_ = 0;
};

float median(std::vector<float> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

Status bench_format(WeightFormat format, const char* name, cudaStream_t stream) {
    Layer layer;
    QS_TRY(layer.make(format, stream));
    std::vector<Layer::Kernel> kernels = layer.kernels();
    std::vector<float> whole;
    for (int round = 0; round < rounds; ++round) {
        float ms = 0;
        for (Layer::Kernel& kernel : kernels) {
            QS_TRY(once_ms(
                stream,
                [&]() -> Status {
                    for (int copy = 0; copy < copies; ++copy)
                        QS_TRY(kernel.run(copy));
                    return {};
                },
                ms));
            if (round > 0)
                kernel.times.push_back(ms / copies);
        }
        QS_TRY(once_ms(
            stream,
            [&]() -> Status {
                for (int i = 0; i < layers; ++i)
                    for (const Layer::Kernel& kernel : kernels)
                        if (kernel.in_layer)
                            QS_TRY(kernel.run(i % copies));
                return {};
            },
            ms));
        if (round > 0)
            whole.push_back(ms);
    }
    float sum = 0;
    std::printf("%s, us:", name);
    for (const Layer::Kernel& kernel : kernels) {
        const float ms = median(kernel.times);
        sum += kernel.in_layer ? ms : 0.0F;
        std::printf(" %s %.1f;", kernel.name.c_str(), ms * 1e3F);
    }
    std::printf(" sum %.1f; a layer of %d in a row %.1f\n", sum * 1e3F, layers,
                median(whole) * 1e3F / layers);
    return {};
}

} // namespace

Status bench_prefill(cudaStream_t stream) {
    std::printf("prefill of %d tokens\n", tokens);
    QS_TRY(bench_format(WeightFormat::int8, "int8", stream));
    QS_TRY(bench_format(WeightFormat::int4, "int4", stream));
    return bench_format(WeightFormat::f16, "f16", stream);
}

} // namespace quantscope::kernels
