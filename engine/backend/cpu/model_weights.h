// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cpu/packed_weights.h"
#include "engine/model/checkpoint.h"
#include "engine/schemes/scheme.h"

#include <vector>

namespace quantscope::cpu {

/// Matrices that read the same input are one, outputs below outputs.
struct PackedLinear {
    PackedWeights weights;
    std::vector<float> bias; ///< [outputs], added to the product in f32; empty: none

    std::int64_t bytes() const {
        return weights.bytes() + static_cast<std::int64_t>(bias.size() * sizeof(float));
    }
};

/// One decoder layer (engine/model/graph.h).
struct LayerWeights {
    std::vector<float> input_norm; ///< [hidden]; empty where the rotation folded it away
    PackedLinear qkv;              ///< [(heads + 2 kv_heads) * head_dim][hidden]
    std::vector<float> q_norm;     ///< [head_dim]; empty: heads are not normed
    std::vector<float> k_norm;     ///< likewise
    PackedLinear o_proj;           ///< [hidden][heads * head_dim]
    std::vector<float> mlp_norm;   ///< as input_norm
    PackedLinear gate_up;          ///< [2 intermediate][hidden]
    PackedLinear down_proj;        ///< [hidden][intermediate]

    std::int64_t linear_bytes() const;
};

/// A model as a scheme stores it.
struct ModelWeights {
    std::vector<LayerWeights> layers;
    std::vector<float> final_norm; ///< as input_norm
    PackedWeights lm_head;         ///< [vocab][hidden]
    PackedWeights embedding;       ///< [vocab][hidden]; no data when tied: lm_head serves for both
    bool tied = false;
    int online_hadamard_block = 1; ///< block Hadamard of down_proj's input; 1: none

    const PackedWeights& embedding_table() const { return tied ? lm_head : embedding; }
    std::int64_t linear_bytes() const;
    std::int64_t linear_count() const;
    std::int64_t other_bytes() const;
};

/// Reads, rotates, quantizes and packs, one linear at a time. Linears that the scheme does not quantize and
/// the tables keep the checkpoint's precision (a rotated 16-bit table becomes f16). Errors: bad_input
/// (missing tensor, NaN or infinite weights), each naming the tensor.
Expected<ModelWeights> load_weights(const Checkpoint& checkpoint, const Scheme& scheme);

/// Bytes that load_weights() will hold, for a check before loading.
std::int64_t estimate_weight_bytes(const Checkpoint& checkpoint, const Scheme& scheme);

} // namespace quantscope::cpu
