// SPDX-License-Identifier: Apache-2.0
#include "engine/model/graph.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace quantscope {
namespace {

/// Sizes that a row below speaks of.
enum class Size { hidden, inner, queries, keys };
/// What in the config gives a linear its bias.
enum class Bias { qkv, o, mlp };
enum class Fused { qkv, o_proj, gate_up, down_proj };

struct Row {
    Fused fused;
    const char* name;
    Size outputs;
    Size inputs;
    WeightRole role;
    Bias bias;
};

/// The linears of a decoder layer as Hugging Face names them, the same in all architectures here.
constexpr Row linear_rows[] = {
    {Fused::qkv, "self_attn.q_proj", Size::queries, Size::hidden, WeightRole::reads_residual, Bias::qkv},
    {Fused::qkv, "self_attn.k_proj", Size::keys, Size::hidden, WeightRole::reads_residual, Bias::qkv},
    {Fused::qkv, "self_attn.v_proj", Size::keys, Size::hidden, WeightRole::v_proj, Bias::qkv},
    {Fused::o_proj, "self_attn.o_proj", Size::hidden, Size::queries, WeightRole::o_proj, Bias::o},
    {Fused::gate_up, "mlp.gate_proj", Size::inner, Size::hidden, WeightRole::reads_residual, Bias::mlp},
    {Fused::gate_up, "mlp.up_proj", Size::inner, Size::hidden, WeightRole::reads_residual, Bias::mlp},
    {Fused::down_proj, "mlp.down_proj", Size::hidden, Size::inner, WeightRole::down_proj, Bias::mlp},
};

std::int64_t size_of(Size size, const ModelConfig& c) {
    switch (size) {
    case Size::hidden: return c.hidden_size;
    case Size::inner: return c.intermediate_size;
    case Size::queries: return std::int64_t{c.num_attention_heads} * c.head_dim;
    case Size::keys: return std::int64_t{c.num_key_value_heads} * c.head_dim;
    }
    return 0;
}

bool has_bias(Bias bias, const ModelConfig& c) {
    switch (bias) {
    case Bias::qkv: return c.qkv_bias;
    case Bias::o: return c.o_bias;
    case Bias::mlp: return c.mlp_bias;
    }
    return false;
}

GraphLinear linear_of(Fused fused, const std::string& at, const ModelConfig& config) {
    GraphLinear linear;
    for (const Row& row : linear_rows) {
        if (row.fused != fused) {
            continue;
        }
        const std::string name = at + row.name;
        linear.inputs = size_of(row.inputs, config);
        linear.parts.push_back({name + ".weight", has_bias(row.bias, config) ? name + ".bias" : "",
                                size_of(row.outputs, config), row.role});
    }
    return linear;
}

} // namespace

std::int64_t GraphLinear::outputs() const {
    std::int64_t sum = 0;
    for (const LinearPart& part : parts) {
        sum += part.outputs;
    }
    return sum;
}

bool GraphLinear::has_bias() const {
    return std::any_of(parts.begin(), parts.end(), [](const LinearPart& part) { return !part.bias.empty(); });
}

GraphLayer graph_layer(const ModelConfig& config, int layer) {
    const std::string at = fmt::format("model.layers.{}.", layer);
    return {.input_norm = at + "input_layernorm.weight",
            .qkv = linear_of(Fused::qkv, at, config),
            .q_norm = config.qk_norm ? at + "self_attn.q_norm.weight" : "",
            .k_norm = config.qk_norm ? at + "self_attn.k_norm.weight" : "",
            .o_proj = linear_of(Fused::o_proj, at, config),
            .mlp_norm = at + "post_attention_layernorm.weight",
            .gate_up = linear_of(Fused::gate_up, at, config),
            .down_proj = linear_of(Fused::down_proj, at, config)};
}

GraphTables graph_tables(const ModelConfig& config) {
    const LinearPart embedding{"model.embed_tokens.weight", "", config.vocab_size, WeightRole::embedding};
    LinearPart head{"lm_head.weight", "", config.vocab_size, WeightRole::reads_residual};
    if (config.tie_word_embeddings) {
        head.weight = embedding.weight;
    }
    return {"model.norm.weight", embedding, head};
}

std::vector<GraphTensor> graph_tensors(const ModelConfig& config) {
    std::vector<GraphTensor> list;
    const std::int64_t hidden = config.hidden_size;
    const auto norm = [&](const std::string& name, std::int64_t size) {
        if (!name.empty()) {
            list.push_back({name, {size}});
        }
    };
    const auto linear = [&](const GraphLinear& l) {
        for (const LinearPart& part : l.parts) {
            list.push_back({part.weight, {part.outputs, l.inputs}});
            norm(part.bias, part.outputs);
        }
    };
    const GraphTables tables = graph_tables(config);
    list.push_back({tables.embedding.weight, {config.vocab_size, hidden}});
    for (int i = 0; i < config.num_hidden_layers; ++i) {
        const GraphLayer layer = graph_layer(config, i);
        norm(layer.input_norm, hidden);
        linear(layer.qkv);
        norm(layer.q_norm, config.head_dim);
        norm(layer.k_norm, config.head_dim);
        linear(layer.o_proj);
        norm(layer.mlp_norm, hidden);
        linear(layer.gate_up);
        linear(layer.down_proj);
    }
    norm(tables.final_norm, hidden);
    if (tables.lm_head.weight != tables.embedding.weight) {
        list.push_back({tables.lm_head.weight, {config.vocab_size, hidden}});
    }
    return list;
}

std::int64_t linear_weight_count(const ModelConfig& config) {
    std::int64_t count = 0;
    for (const Row& row : linear_rows) {
        count += size_of(row.outputs, config) * size_of(row.inputs, config);
    }
    return count * config.num_hidden_layers;
}

} // namespace quantscope
