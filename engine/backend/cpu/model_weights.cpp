// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/model_weights.h"

#include "engine/schemes/rotation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

namespace quantscope::cpu {
namespace {

Storage storage_of(DType dtype) {
    return dtype == DType::f32 ? Storage::f32 : dtype == DType::f16 ? Storage::f16 : Storage::bf16;
}

float largest_magnitude(std::span<const float> values) {
    float largest = 0.0F;
    for (const float value : values) {
        largest = std::max(largest, std::fabs(value));
    }
    return largest;
}

Storage storage_of(Precision precision) {
    return precision == Precision::int8 ? Storage::int8 : Storage::int4;
}

/// Reads tensors of one checkpoint under one scheme.
class Loader {
  public:
    Loader(const Checkpoint& checkpoint, const Scheme& scheme)
        : checkpoint_(checkpoint), config_(checkpoint.config()), scheme_(scheme),
          rotation_(scheme.rotation, config_.hidden_size, config_.intermediate_size, config_.head_dim) {}

    Expected<ModelWeights> load();

  private:
    /// A part of a fused matrix, [outputs][inputs], and what the rotation does to it.
    using Rotate = void (Loader::*)(std::span<float> weight, std::span<const float> gamma) const;
    struct Part {
        std::string name;
        std::int64_t outputs;
        Rotate rotate;
    };

    void reads_residual(std::span<float> w, std::span<const float> gamma) const {
        rotation_.reads_residual(w, gamma);
    }
    void v_proj(std::span<float> w, std::span<const float> gamma) const {
        rotation_.reads_residual(w, gamma);
        rotation_.v_output(w);
    }
    void o_proj(std::span<float> w, std::span<const float>) const { rotation_.o_proj(w); }
    void down_proj(std::span<float> w, std::span<const float>) const { rotation_.down_proj(w); }
    void embedding(std::span<float> w, std::span<const float>) const { rotation_.embedding(w); }

    Expected<std::vector<float>> vector(const std::string& name, std::int64_t size) const;
    Expected<PackedWeights> matrix(std::span<const Part> parts, std::int64_t inputs,
                                   std::span<const float> gamma, bool quantized) const;
    Expected<Storage> table_storage(std::span<const Part> parts, std::int64_t inputs) const;
    Expected<LayerWeights> layer(int index) const;
    Expected<> tables(ModelWeights& weights) const;

    const Checkpoint& checkpoint_;
    const ModelConfig& config_;
    const Scheme& scheme_;
    WeightRotation rotation_;
};

Expected<std::vector<float>> Loader::vector(const std::string& name, std::int64_t size) const {
    const std::array<std::int64_t, 1> shape{size};
    auto tensor = checkpoint_.tensor(name, shape);
    if (!tensor) {
        return tl::unexpected(tensor.error());
    }
    if (auto finite = check_finite(*tensor); !finite) {
        return tl::unexpected(finite.error());
    }
    std::vector<float> values(static_cast<std::size_t>(size));
    to_f32(*tensor, 0, values);
    return values;
}

/// What is not quantized where the scheme quantizes the linears: halves, as on CUDA. Where it quantizes
/// nothing: the checkpoint's precision; f32 where the parts differ, or where the rotation has left no 16-bit
/// number.
Expected<Storage> Loader::table_storage(std::span<const Part> parts, std::int64_t inputs) const {
    if (scheme_.weights != Precision::fp16) {
        return Storage::f16;
    }
    Storage storage = Storage::f32;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::array<std::int64_t, 2> shape{parts[i].outputs, inputs};
        auto tensor = checkpoint_.tensor(parts[i].name, shape);
        if (!tensor) {
            return tl::unexpected(tensor.error());
        }
        const Storage own = storage_of(tensor->dtype);
        storage = i == 0 || own == storage ? own : Storage::f32;
    }
    return scheme_.rotation == Rotation::none ? storage : Storage::f32;
}

Expected<PackedWeights> Loader::matrix(std::span<const Part> parts, std::int64_t inputs,
                                       std::span<const float> gamma, bool quantized) const {
    Storage storage = storage_of(scheme_.weights);
    if (!quantized || scheme_.weights == Precision::fp16) {
        auto kept = table_storage(parts, inputs);
        if (!kept) {
            return tl::unexpected(kept.error());
        }
        storage = *kept;
    }
    std::int64_t outputs = 0;
    for (const Part& part : parts) {
        outputs += part.outputs;
    }
    PackedWeights packed(storage, outputs, inputs);
    std::int64_t first = 0;
    for (const Part& part : parts) {
        const std::array<std::int64_t, 2> shape{part.outputs, inputs};
        auto tensor = checkpoint_.tensor(part.name, shape);
        if (!tensor) {
            return tl::unexpected(tensor.error());
        }
        if (auto finite = check_finite(*tensor); !finite) {
            return tl::unexpected(finite.error());
        }
        std::vector<float> values(static_cast<std::size_t>(part.outputs * inputs));
        to_f32(*tensor, 0, values);
        (this->*part.rotate)(values, gamma);
        if (!quantized && storage == Storage::f16 && largest_magnitude(values) > 65504.0F) {
            packed = PackedWeights(Storage::f32, outputs, inputs); // a table has one part
        }
        packed.set_rows(first, values);
        first += part.outputs;
    }
    return packed;
}

Expected<LayerWeights> Loader::layer(int index) const {
    const std::string at = fmt::format("model.layers.{}.", index);
    const std::int64_t hidden = config_.hidden_size;
    const std::int64_t inner = config_.intermediate_size;
    const std::int64_t q_size = std::int64_t{config_.num_attention_heads} * config_.head_dim;
    const std::int64_t kv_size = std::int64_t{config_.num_key_value_heads} * config_.head_dim;

    auto input_norm = vector(at + "input_layernorm.weight", hidden);
    if (!input_norm) {
        return tl::unexpected(input_norm.error());
    }
    auto mlp_norm = vector(at + "post_attention_layernorm.weight", hidden);
    if (!mlp_norm) {
        return tl::unexpected(mlp_norm.error());
    }
    const std::array<Part, 3> qkv{Part{at + "self_attn.q_proj.weight", q_size, &Loader::reads_residual},
                                  Part{at + "self_attn.k_proj.weight", kv_size, &Loader::reads_residual},
                                  Part{at + "self_attn.v_proj.weight", kv_size, &Loader::v_proj}};
    const std::array<Part, 1> o{Part{at + "self_attn.o_proj.weight", hidden, &Loader::o_proj}};
    const std::array<Part, 2> gate_up{Part{at + "mlp.gate_proj.weight", inner, &Loader::reads_residual},
                                      Part{at + "mlp.up_proj.weight", inner, &Loader::reads_residual}};
    const std::array<Part, 1> down{Part{at + "mlp.down_proj.weight", hidden, &Loader::down_proj}};

    LayerWeights layer;
    const auto take = [&](PackedWeights& to, std::span<const Part> parts, std::int64_t inputs,
                          std::span<const float> gamma) -> Expected<> {
        auto packed = matrix(parts, inputs, gamma, true);
        if (!packed) {
            return tl::unexpected(packed.error());
        }
        to = std::move(*packed);
        return {};
    };
    auto done = take(layer.qkv, qkv, hidden, *input_norm)
                    .and_then([&] { return take(layer.o_proj, o, q_size, {}); })
                    .and_then([&] { return take(layer.gate_up, gate_up, hidden, *mlp_norm); })
                    .and_then([&] { return take(layer.down_proj, down, inner, {}); });
    if (!done) {
        return tl::unexpected(done.error());
    }
    if (!rotation_.folds_norms()) {
        layer.input_norm = std::move(*input_norm);
        layer.mlp_norm = std::move(*mlp_norm);
    }
    return layer;
}

Expected<> Loader::tables(ModelWeights& weights) const {
    auto final_norm = vector("model.norm.weight", config_.hidden_size);
    if (!final_norm) {
        return tl::unexpected(final_norm.error());
    }
    const std::string embedding_name = "model.embed_tokens.weight";
    const std::array<Part, 1> head{Part{config_.tie_word_embeddings ? embedding_name : "lm_head.weight",
                                        config_.vocab_size, &Loader::reads_residual}};
    auto lm_head = matrix(head, config_.hidden_size, *final_norm, false);
    if (!lm_head) {
        return tl::unexpected(lm_head.error());
    }
    weights.lm_head = std::move(*lm_head);
    // The rotation folds the last norm into lm_head only, so tied tables part ways.
    weights.tied = config_.tie_word_embeddings && !rotation_.folds_norms();
    if (!weights.tied) {
        const std::array<Part, 1> table{Part{embedding_name, config_.vocab_size, &Loader::embedding}};
        auto embedding = matrix(table, config_.hidden_size, {}, false);
        if (!embedding) {
            return tl::unexpected(embedding.error());
        }
        weights.embedding = std::move(*embedding);
    }
    if (!rotation_.folds_norms()) {
        weights.final_norm = std::move(*final_norm);
    }
    return {};
}

Expected<ModelWeights> Loader::load() {
    ModelWeights weights;
    weights.online_hadamard_block = rotation_.online_block();
    for (int i = 0; i < config_.num_hidden_layers; ++i) {
        auto loaded = layer(i);
        if (!loaded) {
            return tl::unexpected(loaded.error());
        }
        weights.layers.push_back(std::move(*loaded));
    }
    if (auto done = tables(weights); !done) {
        return tl::unexpected(done.error());
    }
    return weights;
}

} // namespace

std::int64_t ModelWeights::linear_bytes() const {
    std::int64_t bytes = 0;
    for (const LayerWeights& layer : layers) {
        bytes += layer.qkv.bytes() + layer.o_proj.bytes() + layer.gate_up.bytes() + layer.down_proj.bytes();
    }
    return bytes;
}

std::int64_t ModelWeights::linear_count() const {
    std::int64_t count = 0;
    for (const LayerWeights& layer : layers) {
        count += layer.qkv.weight_count() + layer.o_proj.weight_count() + layer.gate_up.weight_count() +
                 layer.down_proj.weight_count();
    }
    return count;
}

std::int64_t ModelWeights::other_bytes() const {
    std::size_t norms = final_norm.size();
    for (const LayerWeights& layer : layers) {
        norms += layer.input_norm.size() + layer.mlp_norm.size();
    }
    return lm_head.bytes() + embedding.bytes() + static_cast<std::int64_t>(norms * sizeof(float));
}

Expected<ModelWeights> load_weights(const Checkpoint& checkpoint, const Scheme& scheme) {
    return Loader(checkpoint, scheme).load();
}

std::int64_t estimate_weight_bytes(const Checkpoint& checkpoint, const Scheme& scheme) {
    const ModelConfig& c = checkpoint.config();
    const std::int64_t hidden = c.hidden_size;
    const std::int64_t layer = hidden * c.head_dim * (2 * c.num_attention_heads + 2 * c.num_key_value_heads) +
                               3 * hidden * c.intermediate_size;
    const std::int64_t tables = 2 * hidden * c.vocab_size;
    const std::array<std::int64_t, 2> shape{c.vocab_size, hidden};
    const auto embedding = checkpoint.tensor("model.embed_tokens.weight", shape);
    const bool kept_f32 = scheme.weights == Precision::fp16 && embedding && embedding->dtype == DType::f32;
    const std::int64_t wide = kept_f32 ? 4 : 2;
    const std::int64_t half_bytes = scheme.weights == Precision::fp16   ? 2 * wide
                                    : scheme.weights == Precision::int8 ? 2
                                                                        : 1;
    const std::int64_t largest_linear_f32 = 4 * hidden * std::max(c.intermediate_size, c.vocab_size);
    return layer * c.num_hidden_layers * half_bytes / 2 + tables * wide + largest_linear_f32;
}

} // namespace quantscope::cpu
