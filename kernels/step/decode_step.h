// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/base/device_buffer.h"
#include "kernels/gemm/packed_weights.h"
#include "kernels/step/exchange.h"
#include "kernels/step/step_shape.h"

namespace quantscope::kernels {

/// One layer's device memory: tiles and scales (PackedWeights) of its linears, and the norms' gammas, or
/// null.
struct StepLayer {
    const std::uint8_t* tiles[linears_a_layer];
    const float* scales[linears_a_layer];
    const float* input_gamma;
    const float* mlp_gamma;
};

/// Clocks that a block lets pass before it asks for the input of a linear (kernels/README.md).
struct StepDelays {
    int norms = 0; ///< of qkv, gate_up and lm_head
    int inner = 0; ///< of down_proj
};

/// Kept from launch to launch; zeros before the first.
struct StepCounters {
    unsigned launches; ///< finished ones: makes each launch's tags its own
    unsigned left;     ///< blocks that have finished
    unsigned slot;     ///< plain values' of the next launch's first layer
};

/// A whole decode step of one sequence of a Llama model, from the embedded tokens in `residual` to the
/// logits, as one kernel whose blocks stay resident and hand one another values through global memory:
/// weights stream through shared memory without a pause between linears. Results are those of the separate
/// kernels, bit for bit.
struct DecodeStep {
    StepShape shape;
    WeightFormat format = WeightFormat::int4;
    const StepLayer* layers = nullptr;        ///< [shape.layers], device
    const std::uint8_t* head_tiles = nullptr; ///< lm_head [vocab][hidden], packed halves
    const float* final_gamma = nullptr;       ///< [hidden] or null
    float eps = 0.0F;
    int largest_code = 7; ///< of activations; unused for f16
    float clip = 1.0F;
    int hadamard_block = 1; ///< of down_proj's input: 1, or 256 (int4 only)

    __half* keys = nullptr;         ///< [layers][slots][kv_heads][context][head_dim]
    __half* values = nullptr;       ///< likewise
    std::size_t cache_layer = 0;    ///< halves of one layer
    const float* cosines = nullptr; ///< [context][head_dim / 2]
    const float* sines = nullptr;
    const std::int32_t* slots = nullptr;     ///< [rows]; -1: the row pads the batch
    const std::int32_t* positions = nullptr; ///< [rows]
    int rows = 1;                            ///< the kernel takes no more; separate kernels do
    int splits = 1;                          ///< covers the longest row: splits_of(position + 1)

    float* residual =
        nullptr; ///< [rows][hidden]: the embedded tokens; after the step, what the last norm reads
    float* logits = nullptr; ///< [rows][vocab]
    Tagged* exchange =
        nullptr; ///< [ExchangeMap::words] for the most splits; all ones before the first launch
    StepCounters* counters = nullptr; ///< belongs to `exchange`
    StepDelays delays;                ///< decode_step() sets them
};

/// Whether the step kernel takes such a step on the current device; what it does not take, the separate
/// kernels do.
Status decode_step_fits(const DecodeStep& step, bool& fits);

/// Errors: unsupported (see decode_step_fits), failed.
Status decode_step(const DecodeStep& step, cudaStream_t stream);

} // namespace quantscope::kernels
