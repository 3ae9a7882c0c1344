// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/config.h"
#include "engine/schemes/weight_role.h"

#include <cstdint>
#include <string>
#include <vector>

/// The decoder of a model as a table of its parts: what each tensor of the checkpoint is called and shaped,
/// what it is for, and what a rotation does to it. The checkpoint's check, both backends' loaders, the
/// rotation and the memory estimate read this and name no tensor themselves, so that an architecture is a few
/// rows here (graph.cpp) and its arithmetic in the attention.
namespace quantscope {

/// One tensor's part of a linear; parts that read the same input are one matrix in memory, outputs below
/// outputs.
struct LinearPart {
    std::string weight; ///< [outputs][inputs]
    std::string bias;   ///< [outputs]; empty: there is none
    std::int64_t outputs = 0;
    WeightRole role = WeightRole::reads_residual; ///< what a rotation does to it
};

struct GraphLinear {
    std::vector<LinearPart> parts;
    std::int64_t inputs = 0;

    std::int64_t outputs() const;
    bool has_bias() const;
};

/// Tensor names of one decoder layer.
struct GraphLayer {
    std::string input_norm; ///< [hidden], RMSNorm's gamma
    GraphLinear qkv;        ///< [(heads + 2 kv_heads) * head_dim][hidden]: q, k, v
    std::string q_norm;     ///< [head_dim], RMSNorm of each head before RoPE; empty: there is none
    std::string k_norm;     ///< likewise
    GraphLinear o_proj;     ///< [hidden][heads * head_dim]
    std::string mlp_norm;   ///< [hidden]
    GraphLinear gate_up;    ///< [2 intermediate][hidden]: gate, up
    GraphLinear down_proj;  ///< [hidden][intermediate]
};

/// Tensors outside the layers.
struct GraphTables {
    std::string final_norm; ///< [hidden]
    LinearPart embedding;   ///< [vocab][hidden]
    LinearPart lm_head;     ///< [vocab][hidden]; a tied model's is the embedding
};

GraphLayer graph_layer(const ModelConfig& config, int layer);
GraphTables graph_tables(const ModelConfig& config);

/// A tensor that the checkpoint must hold.
struct GraphTensor {
    std::string name;
    std::vector<std::int64_t> shape;
};
/// All of them, each once, in the order in which a pass reads them.
std::vector<GraphTensor> graph_tensors(const ModelConfig& config);

/// Weights of all layers' linears, biases and norms left out.
std::int64_t linear_weight_count(const ModelConfig& config);

} // namespace quantscope
