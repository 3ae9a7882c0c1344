// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/checkpoint.h"
#include "engine/schemes/scheme.h"
#include "kernels/gemm/packed_weights.h"

#include <vector>

namespace quantscope::cuda {

/// One decoder layer on the device (engine/model/graph.h). Linears that read the same input are one matrix,
/// as in the CPU engine.
struct LayerWeights {
    kernels::DeviceBuffer<float> input_norm; ///< [hidden]; empty where the rotation folded it away
    kernels::PackedWeights qkv;              ///< [(heads + 2 kv_heads) * head_dim][hidden]
    kernels::DeviceBuffer<float> q_norm;     ///< [head_dim]; empty: heads are not normed
    kernels::DeviceBuffer<float> k_norm;     ///< likewise
    kernels::PackedWeights o_proj;           ///< [hidden][heads * head_dim]
    kernels::DeviceBuffer<float> mlp_norm;   ///< as input_norm
    kernels::PackedWeights gate_up;        ///< [2 intermediate][hidden], RowOrder::gate_up, with biases plain
    kernels::PackedWeights down_proj;      ///< [hidden][intermediate]
    kernels::DeviceBuffer<float> qkv_bias; ///< [outputs] of the linear; empty: it has none
    kernels::DeviceBuffer<float> o_bias;
    kernels::DeviceBuffer<float> gate_up_bias;
    kernels::DeviceBuffer<float> down_bias;

    /// Parts that the one kernel of a decode step does not know.
    bool has_extras() const {
        return qkv_bias.size() + o_bias.size() + gate_up_bias.size() + down_bias.size() + q_norm.size() +
                   k_norm.size() >
               0;
    }
};

/// A model as a scheme stores it, on the current device.
struct ModelWeights {
    std::vector<LayerWeights> layers;
    kernels::DeviceBuffer<float> final_norm; ///< as input_norm
    kernels::PackedWeights lm_head;          ///< [vocab][hidden] halves
    kernels::PackedWeights embedding; ///< [vocab][hidden] halves; empty when tied: lm_head serves for both
    bool tied = false;
    int online_hadamard_block = 1;    ///< block Hadamard of down_proj's input; 1: none
    std::int64_t peak_load_bytes = 0; ///< device memory held at most while it was loaded

    const kernels::PackedWeights& embedding_table() const { return tied ? lm_head : embedding; }
    std::int64_t linear_bytes() const;
    std::int64_t linear_count() const;
    std::int64_t other_bytes() const;
};

/// Reads, rotates, quantizes and packs on the device, one linear at a time: no full-precision copy of one
/// outlives its turn. Codes and scales are the CPU engine's, bit for bit; what a scheme does not quantize is
/// stored as halves. Errors: bad_input (missing tensor, NaN or infinite weights), unsupported (a weight too
/// large for a half), oom, device.
Expected<ModelWeights> load_weights(const Checkpoint& checkpoint, const Scheme& scheme);

} // namespace quantscope::cuda
