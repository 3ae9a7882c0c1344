// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/model_weights.h"

#include "engine/backend/cuda/status_error.h"
#include "engine/backend/cuda/weight_stage.h"

#include <array>
#include <fmt/format.h>

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
    const std::string at = fmt::format("model.layers.{}.", index);
    const int hidden = config_.hidden_size;
    const int inner = config_.intermediate_size;
    const int q_size = config_.num_attention_heads * config_.head_dim;
    const int kv_size = config_.num_key_value_heads * config_.head_dim;
    using Role = WeightStage::Role;
    const std::array<WeightStage::Part, 3> qkv{
        {{at + "self_attn.q_proj.weight", q_size, Role::reads_residual},
         {at + "self_attn.k_proj.weight", kv_size, Role::reads_residual},
         {at + "self_attn.v_proj.weight", kv_size, Role::v_proj}}};
    const std::array<WeightStage::Part, 1> o{{{at + "self_attn.o_proj.weight", hidden, Role::o_proj}}};
    const std::array<WeightStage::Part, 2> gate_up{
        {{at + "mlp.gate_proj.weight", inner, Role::reads_residual},
         {at + "mlp.up_proj.weight", inner, Role::reads_residual}}};
    const std::array<WeightStage::Part, 1> down{{{at + "mlp.down_proj.weight", hidden, Role::down_proj}}};

    kernels::DeviceBuffer<float> input_norm;
    kernels::DeviceBuffer<float> mlp_norm;
    auto done =
        stage_.vector(at + "input_layernorm.weight", hidden, input_norm)
            .and_then([&] { return stage_.vector(at + "post_attention_layernorm.weight", hidden, mlp_norm); })
            .and_then([&] { return stage_.linear(qkv, hidden, &input_norm, RowOrder::plain, layer.qkv); })
            .and_then([&] { return stage_.linear(o, q_size, nullptr, RowOrder::plain, layer.o_proj); })
            .and_then(
                [&] { return stage_.linear(gate_up, hidden, &mlp_norm, RowOrder::gate_up, layer.gate_up); })
            .and_then([&] { return stage_.linear(down, inner, nullptr, RowOrder::plain, layer.down_proj); });
    if (done && !stage_.folds_norms()) {
        layer.input_norm = std::move(input_norm);
        layer.mlp_norm = std::move(mlp_norm);
    }
    return done;
}

Expected<> Loader::tables(ModelWeights& weights) {
    using Role = WeightStage::Role;
    const std::string embedding_name = "model.embed_tokens.weight";
    const std::string head_name = config_.tie_word_embeddings ? embedding_name : "lm_head.weight";
    const int hidden = config_.hidden_size;
    kernels::DeviceBuffer<float> final_norm;
    auto done = stage_.vector("model.norm.weight", hidden, final_norm).and_then([&] {
        return stage_.table({head_name, config_.vocab_size, Role::reads_residual}, hidden, &final_norm,
                            weights.lm_head);
    });
    // The rotation folds the last norm into lm_head only, so tied tables part ways.
    weights.tied = config_.tie_word_embeddings && !stage_.folds_norms();
    if (done && !weights.tied) {
        done = stage_.table({embedding_name, config_.vocab_size, Role::embedding}, hidden, nullptr,
                            weights.embedding);
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
        bytes += layer.qkv.bytes() + layer.o_proj.bytes() + layer.gate_up.bytes() + layer.down_proj.bytes();
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
        bytes += layer.input_norm.bytes() + layer.mlp_norm.bytes();
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
