// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/model_weights.h"

#include "engine/backend/cuda/status_error.h"
#include "engine/backend/cuda/weight_stage.h"

namespace quantscope::cuda {
namespace {

using kernels::PackedWeights;
using kernels::RowOrder;

std::int64_t count_of(const PackedWeights& weights) {
    return std::int64_t{weights.rows} * weights.cols;
}

/// Reads tensors of one checkpoint under one scheme.
class Loader {
  public:
    Loader(const Checkpoint& checkpoint, const Scheme& scheme)
        : checkpoint_(checkpoint), config_(checkpoint.config()), stage_(checkpoint, scheme) {}

    Expected<ModelWeights> load();

  private:
    Expected<> layer(int index, LayerWeights& layer);
    Expected<> tables(ModelWeights& weights);

    const Checkpoint& checkpoint_;
    const ModelConfig& config_;
    WeightStage stage_;
};

Expected<> Loader::layer(int index, LayerWeights& layer) {
    const GraphLayer graph = graph_layer(config_, index);
    const auto norm = [&](const std::string& name, int size, kernels::DeviceBuffer<float>& to) {
        return name.empty() ? Expected<>() : stage_.vector(name, size, to);
    };
    const auto linear = [&](const GraphLinear& from, const kernels::DeviceBuffer<float>* gamma,
                            RowOrder order, PackedWeights& to, kernels::DeviceBuffer<float>& bias) {
        return stage_.linear(from, gamma, order, to).and_then([&] { return stage_.bias(from, bias); });
    };
    const RowOrder gate_up = graph.gate_up.has_bias() ? RowOrder::plain : RowOrder::gate_up;
    kernels::DeviceBuffer<float> input_norm;
    kernels::DeviceBuffer<float> mlp_norm;
    auto done =
        norm(graph.input_norm, config_.hidden_size, input_norm)
            .and_then([&] { return norm(graph.mlp_norm, config_.hidden_size, mlp_norm); })
            .and_then([&] { return norm(graph.q_norm, config_.head_dim, layer.q_norm); })
            .and_then([&] { return norm(graph.k_norm, config_.head_dim, layer.k_norm); })
            .and_then(
                [&] { return linear(graph.qkv, &input_norm, RowOrder::plain, layer.qkv, layer.qkv_bias); })
            .and_then(
                [&] { return linear(graph.o_proj, nullptr, RowOrder::plain, layer.o_proj, layer.o_bias); })
            .and_then(
                [&] { return linear(graph.gate_up, &mlp_norm, gate_up, layer.gate_up, layer.gate_up_bias); })
            .and_then([&] {
                return linear(graph.down_proj, nullptr, RowOrder::plain, layer.down_proj, layer.down_bias);
            });
    if (done && !stage_.folds_norms()) {
        layer.input_norm = std::move(input_norm);
        layer.mlp_norm = std::move(mlp_norm);
    }
    return done;
}

Expected<> Loader::tables(ModelWeights& weights) {
    const GraphTables graph = graph_tables(config_);
    const int hidden = config_.hidden_size;
    kernels::DeviceBuffer<float> final_norm;
    auto done = stage_.vector(graph.final_norm, hidden, final_norm).and_then([&] {
        return stage_.table(graph.lm_head, hidden, &final_norm, weights.lm_head);
    });
    // The rotation folds the last norm into lm_head only, so tied tables part ways.
    weights.tied = config_.tie_word_embeddings && !stage_.folds_norms();
    if (done && !weights.tied) {
        done = stage_.table(graph.embedding, hidden, nullptr, weights.embedding);
    }
    if (!stage_.folds_norms()) {
        weights.final_norm = std::move(final_norm);
    }
    return done;
}

Expected<ModelWeights> Loader::load() {
    ModelWeights weights;
    weights.online_hadamard_block = stage_.online_block();
    weights.layers.resize(static_cast<std::size_t>(config_.num_hidden_layers));
    // The tables first: the room that they need is the largest, and it is given back before the layers fill
    // the memory.
    auto done = stage_.open().and_then([&] { return tables(weights); });
    stage_.shrink();
    for (int i = 0; done && i < config_.num_hidden_layers; ++i) {
        done = layer(i, weights.layers[static_cast<std::size_t>(i)]);
    }
    if (done) {
        done = stage_.finish();
    }
    if (!done) {
        return tl::unexpected(done.error());
    }
    return weights;
}

} // namespace

std::int64_t ModelWeights::linear_bytes() const {
    std::size_t bytes = 0;
    for (const LayerWeights& layer : layers) {
        bytes += layer.qkv.bytes() + layer.o_proj.bytes() + layer.gate_up.bytes() + layer.down_proj.bytes() +
                 layer.qkv_bias.bytes() + layer.o_bias.bytes() + layer.gate_up_bias.bytes() +
                 layer.down_bias.bytes();
    }
    return static_cast<std::int64_t>(bytes);
}

std::int64_t ModelWeights::linear_count() const {
    std::int64_t count = 0;
    for (const LayerWeights& layer : layers) {
        count += count_of(layer.qkv) + count_of(layer.o_proj) + count_of(layer.gate_up) +
                 count_of(layer.down_proj);
    }
    return count;
}

std::int64_t ModelWeights::other_bytes() const {
    std::size_t bytes = final_norm.bytes() + lm_head.bytes() + embedding.bytes();
    for (const LayerWeights& layer : layers) {
        bytes +=
            layer.input_norm.bytes() + layer.mlp_norm.bytes() + layer.q_norm.bytes() + layer.k_norm.bytes();
    }
    return static_cast<std::int64_t>(bytes);
}

Expected<ModelWeights> load_weights(const Checkpoint& checkpoint, const Scheme& scheme) {
    const std::int64_t before = kernels::device_memory::held_bytes;
    kernels::device_memory::restart_peak();
    auto weights = Loader(checkpoint, scheme).load();
    if (weights) {
        weights->peak_load_bytes = kernels::device_memory::peak_bytes - before;
    }
    return weights;
}

} // namespace quantscope::cuda
