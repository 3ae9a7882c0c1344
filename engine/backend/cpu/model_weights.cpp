// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/model_weights.h"

#include "engine/model/graph.h"
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
    void rotate(WeightRole role, std::span<float> weight, std::span<const float> gamma) const;
    Expected<PackedLinear> linear(const GraphLinear& from, std::span<const float> gamma) const;
    Expected<std::vector<float>> bias(const GraphLinear& from) const;
    Expected<std::vector<float>> vector(const std::string& name, std::int64_t size) const;
    Expected<PackedWeights> matrix(const GraphLinear& from, std::span<const float> gamma,
                                   bool quantized) const;
    Expected<Storage> table_storage(const GraphLinear& from) const;
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
Expected<Storage> Loader::table_storage(const GraphLinear& from) const {
    if (scheme_.weights != Precision::fp16) {
        return Storage::f16;
    }
    Storage storage = Storage::f32;
    for (std::size_t i = 0; i < from.parts.size(); ++i) {
        const std::array<std::int64_t, 2> shape{from.parts[i].outputs, from.inputs};
        auto tensor = checkpoint_.tensor(from.parts[i].weight, shape);
        if (!tensor) {
            return tl::unexpected(tensor.error());
        }
        const Storage own = storage_of(tensor->dtype);
        storage = i == 0 || own == storage ? own : Storage::f32;
    }
    return scheme_.rotation == Rotation::none ? storage : Storage::f32;
}

Expected<PackedWeights> Loader::matrix(const GraphLinear& from, std::span<const float> gamma,
                                       bool quantized) const {
    Storage storage = storage_of(scheme_.weights);
    if (!quantized || scheme_.weights == Precision::fp16) {
        auto kept = table_storage(from);
        if (!kept) {
            return tl::unexpected(kept.error());
        }
        storage = *kept;
    }
    PackedWeights packed(storage, from.outputs(), from.inputs);
    std::int64_t first = 0;
    for (const LinearPart& part : from.parts) {
        const std::array<std::int64_t, 2> shape{part.outputs, from.inputs};
        auto tensor = checkpoint_.tensor(part.weight, shape);
        if (!tensor) {
            return tl::unexpected(tensor.error());
        }
        if (auto finite = check_finite(*tensor); !finite) {
            return tl::unexpected(finite.error());
        }
        std::vector<float> values(static_cast<std::size_t>(part.outputs * from.inputs));
        to_f32(*tensor, 0, values);
        rotate(part.role, values, gamma);
        if (!quantized && storage == Storage::f16 && largest_magnitude(values) > 65504.0F) {
            packed = PackedWeights(Storage::f32, part.outputs, from.inputs); // a table has one part
        }
        packed.set_rows(first, values);
        first += part.outputs;
    }
    return packed;
}

void Loader::rotate(WeightRole role, std::span<float> weight, std::span<const float> gamma) const {
    switch (role) {
    case WeightRole::embedding: rotation_.embedding(weight); return;
    case WeightRole::reads_residual: rotation_.reads_residual(weight, gamma); return;
    case WeightRole::v_proj:
        rotation_.reads_residual(weight, gamma);
        rotation_.v_output(weight);
        return;
    case WeightRole::o_proj: rotation_.o_proj(weight); return;
    case WeightRole::down_proj: rotation_.down_proj(weight); return;
    }
}

/// Of all parts; zeros for a part without. Empty where no part has one.
Expected<std::vector<float>> Loader::bias(const GraphLinear& from) const {
    std::vector<float> all;
    if (!from.has_bias()) {
        return all;
    }
    for (const LinearPart& part : from.parts) {
        std::vector<float> values(static_cast<std::size_t>(part.outputs));
        if (!part.bias.empty()) {
            auto read = vector(part.bias, part.outputs);
            if (!read) {
                return tl::unexpected(read.error());
            }
            values = *std::move(read);
        }
        rotation_.bias(part.role, values);
        all.insert(all.end(), values.begin(), values.end());
    }
    return all;
}

Expected<PackedLinear> Loader::linear(const GraphLinear& from, std::span<const float> gamma) const {
    auto weights = matrix(from, gamma, true);
    if (!weights) {
        return tl::unexpected(weights.error());
    }
    return bias(from).map([&](std::vector<float> values) {
        return PackedLinear{*std::move(weights), std::move(values)};
    });
}

Expected<LayerWeights> Loader::layer(int index) const {
    const GraphLayer graph = graph_layer(config_, index);
    LayerWeights layer;
    const auto take_norm = [&](std::vector<float>& to, const std::string& name, std::int64_t size) {
        return name.empty()
                   ? Expected<>()
                   : vector(name, size).map([&](std::vector<float> values) { to = std::move(values); });
    };
    const auto take = [&](PackedLinear& to, const GraphLinear& from, std::span<const float> gamma) {
        return linear(from, gamma).map([&](PackedLinear packed) { to = std::move(packed); });
    };
    auto done = take_norm(layer.input_norm, graph.input_norm, config_.hidden_size)
                    .and_then([&] { return take_norm(layer.mlp_norm, graph.mlp_norm, config_.hidden_size); })
                    .and_then([&] { return take_norm(layer.q_norm, graph.q_norm, config_.head_dim); })
                    .and_then([&] { return take_norm(layer.k_norm, graph.k_norm, config_.head_dim); })
                    .and_then([&] { return take(layer.qkv, graph.qkv, layer.input_norm); })
                    .and_then([&] { return take(layer.o_proj, graph.o_proj, {}); })
                    .and_then([&] { return take(layer.gate_up, graph.gate_up, layer.mlp_norm); })
                    .and_then([&] { return take(layer.down_proj, graph.down_proj, {}); });
    if (!done) {
        return tl::unexpected(done.error());
    }
    if (rotation_.folds_norms()) {
        layer.input_norm.clear();
        layer.mlp_norm.clear();
    }
    return layer;
}

Expected<> Loader::tables(ModelWeights& weights) const {
    const GraphTables graph = graph_tables(config_);
    auto final_norm = vector(graph.final_norm, config_.hidden_size);
    if (!final_norm) {
        return tl::unexpected(final_norm.error());
    }
    auto lm_head = matrix({{graph.lm_head}, config_.hidden_size}, *final_norm, false);
    if (!lm_head) {
        return tl::unexpected(lm_head.error());
    }
    weights.lm_head = std::move(*lm_head);
    // The rotation folds the last norm into lm_head only, so tied tables part ways.
    weights.tied = config_.tie_word_embeddings && !rotation_.folds_norms();
    if (!weights.tied) {
        auto embedding = matrix({{graph.embedding}, config_.hidden_size}, {}, false);
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

std::int64_t LayerWeights::linear_bytes() const {
    return qkv.bytes() + o_proj.bytes() + gate_up.bytes() + down_proj.bytes();
}

std::int64_t ModelWeights::linear_bytes() const {
    std::int64_t bytes = 0;
    for (const LayerWeights& layer : layers) {
        bytes += layer.linear_bytes();
    }
    return bytes;
}

std::int64_t ModelWeights::linear_count() const {
    std::int64_t count = 0;
    for (const LayerWeights& layer : layers) {
        for (const PackedLinear* linear : {&layer.qkv, &layer.o_proj, &layer.gate_up, &layer.down_proj}) {
            count += linear->weights.weight_count();
        }
    }
    return count;
}

std::int64_t ModelWeights::other_bytes() const {
    std::size_t norms = final_norm.size();
    for (const LayerWeights& layer : layers) {
        norms += layer.input_norm.size() + layer.mlp_norm.size() + layer.q_norm.size() + layer.k_norm.size();
    }
    return lm_head.bytes() + embedding.bytes() + static_cast<std::int64_t>(norms * sizeof(float));
}

Expected<ModelWeights> load_weights(const Checkpoint& checkpoint, const Scheme& scheme) {
    return Loader(checkpoint, scheme).load();
}

std::int64_t estimate_weight_bytes(const Checkpoint& checkpoint, const Scheme& scheme) {
    const ModelConfig& c = checkpoint.config();
    const std::int64_t table = std::int64_t{c.hidden_size} * c.vocab_size;
    const std::array<std::int64_t, 2> shape{c.vocab_size, c.hidden_size};
    const auto embedding = checkpoint.tensor(graph_tables(c).embedding.weight, shape);
    const bool kept_f32 = scheme.weights == Precision::fp16 && embedding && embedding->dtype == DType::f32;
    const std::int64_t wide = kept_f32 ? 4 : 2;
    const std::int64_t half_bytes = scheme.weights == Precision::fp16   ? 2 * wide
                                    : scheme.weights == Precision::int8 ? 2
                                                                        : 1;
    const std::int64_t largest_linear_f32 =
        4 * std::max(table, std::int64_t{c.hidden_size} * c.intermediate_size);
    return linear_weight_count(c) * half_bytes / 2 + 2 * table * wide + largest_linear_f32;
}

} // namespace quantscope::cpu
