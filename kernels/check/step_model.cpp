// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/step_model.h"

#include "kernels/attention/decode_attention.h"
#include "kernels/bench/measure.h"
#include "kernels/check/support.h"
#include "kernels/gemm/multiply.h"
#include "kernels/tokens/tokens.h"

#include <algorithm>

namespace quantscope::kernels {
namespace {

constexpr float eps = 1e-5F;

template<class T>
Status fill(DeviceBuffer<T>& buffer, unsigned seed, std::uint32_t mask, std::uint32_t base) {
    return fill_random(reinterpret_cast<std::uint32_t*>(buffer.data()), buffer.bytes() / 4, seed, mask, base,
                       nullptr);
}

constexpr std::uint32_t half_mask = 0xA3FFA3FFU; ///< with half_base: halves of both signs, 2^-7 .. 2^-3
constexpr std::uint32_t half_base = 0x20002000U;

} // namespace

StepShape llama_2_7b(int layers, int context) {
    StepShape shape;
    shape.layers = layers;
    shape.hidden = 4096;
    shape.intermediate = 11008;
    shape.vocab = 32000;
    shape.attention.heads = 32;
    shape.attention.kv_heads = 32;
    shape.attention.head_dim = 128;
    shape.attention.context = context;
    return shape;
}

Status StepModel::make_weights(WeightFormat format, RowOrder order, int rows, int cols, PackedWeights& w) {
    const bool f16 = format == WeightFormat::f16;
    w.format = format;
    w.order = order;
    w.rows = rows;
    w.cols = cols;
    QS_TRY(w.tiles.allocate(static_cast<std::size_t>(w.row_tiles()) * w.col_tiles() * tile_bytes(format)));
    QS_TRY(fill(w.tiles, ++seed_, f16 ? half_mask : 0xFFFFFFFFU, f16 ? half_base : 0));
    weight_bytes += w.tiles.bytes();
    if (f16)
        return {};
    QS_TRY(w.scales.allocate(static_cast<std::size_t>(w.row_tiles()) * 16));
    // So that a row of codes gives sums of some size 1: 2^-11 .. 2^-10, or a sixteenth of that.
    QS_TRY(fill(w.scales, ++seed_, 0x007FFFFFU, format == WeightFormat::int4 ? 0x3A000000U : 0x38000000U));
    weight_bytes += w.scales.bytes();
    return {};
}

Status StepModel::make(const StepShape& shape, WeightFormat format, int hadamard_block,
                       const std::vector<std::int32_t>& positions, unsigned seed) {
    seed_ = seed;
    const AttentionShape& a = shape.attention;
    const auto rows = static_cast<int>(positions.size());
    std::vector<StepLayer> layers(shape.layers);
    std::vector<float> gammas;
    std::mt19937 random(seed);
    weights_.resize(shape.linears());
    QS_TRY(gammas_.allocate(std::size_t{3} * shape.hidden));
    QS_TRY(fill(gammas_, ++seed_, 0x007FFFFFU, 0x3F000000U));
    for (int i = 0; i < shape.linears(); ++i) {
        const bool head = i + 1 == shape.linears();
        const bool gate_up = !head && i % linears_a_layer == static_cast<int>(StepLinear::gate_up);
        QS_TRY(make_weights(head ? WeightFormat::f16 : format, gate_up ? RowOrder::gate_up : RowOrder::plain,
                            shape.rows(i), shape.cols(i), weights_[i]));
        if (!head) {
            StepLayer& layer = layers[i / linears_a_layer];
            layer.tiles[i % linears_a_layer] = weights_[i].tiles.data();
            layer.scales[i % linears_a_layer] = weights_[i].scales.data();
            layer.input_gamma = hadamard_block > 1 ? nullptr : gammas_.data();
            layer.mlp_gamma = hadamard_block > 1 ? nullptr : gammas_.data() + shape.hidden;
        }
    }
    QS_TRY(upload(layers, layers_));
    std::vector<std::int32_t> slots(rows);
    std::vector<std::int32_t> clamped(rows);
    int longest = 0;
    for (int m = 0; m < rows; ++m) {
        slots[m] = positions[m] < 0 ? -1 : m;
        clamped[m] = std::max(positions[m], 0);
        longest = std::max(longest, clamped[m] + 1);
        cache_bytes +=
            positions[m] < 0 ? 0 : std::size_t{4} * positions[m] * a.kv_heads * a.head_dim * shape.layers;
    }
    QS_TRY(upload(slots, slots_));
    QS_TRY(upload(clamped, positions_));
    const std::size_t cache = shape.layers * rows * a.slot_size();
    QS_TRY(keys.allocate(cache));
    QS_TRY(values.allocate(cache));
    QS_TRY(fill(keys, ++seed_, 0xBBFFBBFFU, 0x20002000U));
    QS_TRY(fill(values, ++seed_, 0xBBFFBBFFU, 0x20002000U));
    QS_TRY(download(keys, first_keys_, "filling the cache"));
    QS_TRY(download(values, first_values_, "filling the cache"));
    const std::size_t table = static_cast<std::size_t>(a.context) * a.head_dim / 2;
    QS_TRY(upload(normal_values(table, random, 0.5F), cosines_));
    QS_TRY(upload(normal_values(table, random, 0.5F), sines_));
    const std::size_t step_bytes = weight_bytes; // of the embeddings a step reads a row
    QS_TRY(make_weights(WeightFormat::f16, RowOrder::plain, shape.vocab, shape.hidden, embedding_));
    weight_bytes = step_bytes;
    std::vector<std::int32_t> tokens(rows);
    for (std::int32_t& token : tokens)
        token = static_cast<std::int32_t>(random() % static_cast<unsigned>(shape.vocab));
    QS_TRY(upload(tokens, tokens_));
    QS_TRY(residual.allocate(static_cast<std::size_t>(rows) * shape.hidden));
    QS_TRY(id.allocate(1));

    const int widest_row = std::max({shape.hidden, shape.intermediate, shape.attended()});
    const auto widest = static_cast<std::size_t>(slabs_of(widest_row, 1)) * slab_bytes;
    QS_TRY(row_layout_for(format, rows, false, layout_));
    QS_TRY(split_sums_.allocate());
    const int splits = splits_of(longest);
    QS_TRY(qkv_.allocate(static_cast<std::size_t>(rows) * a.qkv_size()));
    QS_TRY(
        partials_.allocate(static_cast<std::size_t>(rows) * a.heads * splits * split_part_size(a.head_dim)));
    QS_TRY(attended_.allocate(static_cast<std::size_t>(rows) * shape.attended()));
    QS_TRY(inner_.allocate(static_cast<std::size_t>(rows) * shape.intermediate));
    QS_TRY(codes_.allocate(rows * widest));
    QS_TRY(scales_.allocate(rows));
    QS_TRY(exchange_.allocate(ExchangeMap(shape, splits).words));
    QS_CUDA_TRY(cudaMemset(exchange_.data(), 0xFF, exchange_.bytes()), "clearing exchanged values");
    QS_TRY(counters_.allocate(1));
    QS_CUDA_TRY(cudaMemset(counters_.data(), 0, counters_.bytes()), "clearing counters");

    step.shape = shape;
    step.format = format;
    step.layers = layers_.data();
    step.embedding_tiles = embedding_.tiles.data();
    step.head_tiles = weights_.back().tiles.data();
    step.final_gamma = hadamard_block > 1 ? nullptr : gammas_.data() + 2 * shape.hidden;
    step.eps = eps;
    step.largest_code = format == WeightFormat::int4 ? 7 : 127;
    step.clip = format == WeightFormat::int4 ? 0.9F : 1.0F;
    step.hadamard_block = hadamard_block;
    step.keys = keys.data();
    step.values = values.data();
    step.cache_layer = rows * a.slot_size();
    step.cosines = cosines_.data();
    step.sines = sines_.data();
    step.token = tokens.front();
    step.slot = slots.front();
    step.position = clamped.front();
    step.id = id.data();
    step.residual = residual.data();
    step.rows = rows;
    step.splits = splits;
    step.exchange = exchange_.data();
    step.counters = counters_.data();
    QS_TRY(find_kernel());
    return reset();
}

Status StepModel::reset() {
    QS_TRY(embed_tokens(embedding_, tokens_.data(), step.rows, residual.data(), {nullptr, false}));
    QS_TRY(upload(first_keys_, keys));
    QS_TRY(upload(first_values_, values));
    QS_TRY(poisoned(static_cast<std::size_t>(step.rows) * step.shape.vocab, logits));
    for (DeviceBuffer<float>* buffer : {&qkv_, &partials_, &attended_, &inner_, &scales_})
        QS_CUDA_TRY(cudaMemset(buffer->data(), 0xFF, buffer->bytes()), "poisoning");
    QS_CUDA_TRY(cudaMemset(codes_.data(), 0xFF, codes_.bytes()), "poisoning");
    step.keys = keys.data();
    step.values = values.data();
    step.logits = logits.data();
    return {};
}

Status StepModel::run_step(cudaStream_t stream) {
    return decode_step(kernel, step, stream);
}

Status StepModel::prepare(const float* x, int cols, const float* gamma, bool normalize, int hadamard,
                          RowStore store, RowLayout layout, cudaStream_t stream) const {
    RowTransform t;
    t.x = x;
    t.rows = step.rows;
    t.cols = cols;
    t.normalize = normalize;
    t.gamma = gamma;
    t.eps = eps;
    t.hadamard_block = hadamard;
    t.store = store;
    t.layout = layout;
    t.out = codes_.data();
    t.scales = scales_.data();
    t.largest_code = step.largest_code;
    t.clip = step.clip;
    return transform_rows(t, {stream, true});
}

Status StepModel::layer_separately(int index, cudaStream_t stream) {
    const StepShape& shape = step.shape;
    const RowStore store = step.format == WeightFormat::f16 ? RowStore::f16 : RowStore::codes;
    const bool folded = step.hadamard_block > 1;
    AttentionRows rows;
    rows.shape = shape.attention;
    rows.qkv = qkv_.data();
    rows.keys = keys.data() + index * step.cache_layer;
    rows.values = values.data() + index * step.cache_layer;
    rows.slots = slots_.data();
    rows.positions = positions_.data();
    rows.rows = step.rows;
    int kernel = 0;
    const auto wanted = [&] { return (skip >> static_cast<unsigned>(kernel++) & 1U) == 0; };
    const auto product = [&](StepLinear linear, float* out, Epilogue epilogue) -> Status {
        StreamGemm gemm{&weights_[index * linears_a_layer + static_cast<int>(linear)],
                        codes_.data(),
                        scales_.data(),
                        step.rows,
                        out,
                        epilogue,
                        true,
                        layout_,
                        &split_sums_};
        gemm.code_shift = code_shift(layout_, step.largest_code);
        return wanted() ? multiply(gemm, stream) : Status{};
    };
    const auto transform = [&](const float* x, int cols, const float* gamma, bool normalize,
                               int hadamard) -> Status {
        return wanted() ? prepare(x, cols, gamma, normalize, hadamard, store, layout_, stream) : Status{};
    };
    QS_TRY(transform(residual.data(), shape.hidden, folded ? nullptr : gammas_.data(), true, 1));
    QS_TRY(product(StepLinear::qkv, qkv_.data(), Epilogue::store_f32));
    if (wanted())
        QS_TRY(attend_decode(rows, cosines_.data(), sines_.data(), attended_.data(), partials_.data(),
                             step.splits, {stream, true}));
    QS_TRY(transform(attended_.data(), shape.attended(), nullptr, false, 1));
    QS_TRY(product(StepLinear::o_proj, residual.data(), Epilogue::add_residual));
    QS_TRY(
        transform(residual.data(), shape.hidden, folded ? nullptr : gammas_.data() + shape.hidden, true, 1));
    QS_TRY(product(StepLinear::gate_up, inner_.data(), Epilogue::silu_mul));
    QS_TRY(transform(inner_.data(), shape.intermediate, nullptr, false, step.hadamard_block));
    return product(StepLinear::down_proj, residual.data(), Epilogue::add_residual);
}

Status StepModel::run_separately(cudaStream_t stream) {
    for (int i = 0; i < step.shape.layers; ++i)
        QS_TRY(layer_separately(i, stream));
    if ((skip >> 9U & 1U) != 0)
        return {};
    QS_TRY(prepare(residual.data(), step.shape.hidden, step.final_gamma, true, 1, RowStore::f16,
                   RowLayout::rows, stream));
    return multiply(
        {&weights_.back(), codes_.data(), nullptr, step.rows, logits.data(), Epilogue::store_f32, true},
        stream);
}

} // namespace quantscope::kernels
