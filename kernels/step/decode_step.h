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

/// Clocks that a block lets pass before it asks for the input of a linear (kernels/history/decode_step.md).
struct StepDelays {
    int qkv = 0; ///< and lm_head
    int gate_up = 0;
    int inner_early = 0; ///< down_proj: what most row tiles of gate_up give
    int inner_late = 0;  ///< what the last ones give
};

/// Kept from launch to launch; zeros before the first.
struct StepCounters {
    unsigned launches;       ///< finished ones: makes each launch's tags its own
    unsigned left;           ///< blocks that have finished
    unsigned slot;           ///< plain values' of the next launch's first layer
    unsigned long long best; ///< rank_of_logit() of the best so far
};

/// A whole decode step of one sequence of a Llama model, from a token to the logits and the largest of them,
/// as one kernel whose blocks stay resident and hand one another values through global memory: weights stream
/// through shared memory without a pause between linears. Results are those of the separate kernels, bit for
/// bit.
struct DecodeStep {
    StepShape shape;
    WeightFormat format = WeightFormat::int4;
    const StepLayer* layers = nullptr;             ///< [shape.layers], device
    const std::uint8_t* embedding_tiles = nullptr; ///< [vocab][hidden], packed halves, RowOrder::plain
    const std::uint8_t* head_tiles = nullptr;      ///< lm_head, likewise; may be the same
    const float* final_gamma = nullptr;            ///< [hidden] or null
    float eps = 0.0F;
    int largest_code = 7; ///< of activations; unused for f16
    float clip = 1.0F;
    int hadamard_block = 1; ///< of down_proj's input: 1, or 256 (int4 only)

    __half* keys = nullptr;         ///< [layers][slots][kv_heads][context][head_dim]
    __half* values = nullptr;       ///< likewise
    std::size_t cache_layer = 0;    ///< halves of one layer
    const float* cosines = nullptr; ///< [context][head_dim / 2]
    const float* sines = nullptr;
    int token = 0;
    int slot = 0;     ///< of the cache; -1: nothing is attended to or cached
    int position = 0; ///< of the token in its sequence
    int rows = 1;     ///< the kernel takes no more; separate kernels do
    int splits = 1;   ///< covers the sequence: at least splits_of(position + 1)

    float* residual = nullptr;  ///< [hidden]: receives what the last norm reads
    float* logits = nullptr;    ///< [vocab]
    std::int32_t* id = nullptr; ///< receives largest_logits(), when all else is done; may be the host's
                                ///< pinned memory; may be null
    Tagged* exchange =
        nullptr; ///< [ExchangeMap::words] for the most splits; all ones before the first launch
    StepCounters* counters = nullptr; ///< belongs to `exchange`
    StepDelays delays;                ///< decode_step() sets them
};

/// The kernel for a model's steps on a device.
struct StepKernel {
    void (*function)(DecodeStep) = nullptr; ///< null: no kernel takes such steps, the separate ones do
    std::size_t shared_bytes = 0;           ///< of a block
    int blocks = 0;
};

/// Of the current device. token, slot, position, splits and outputs are not looked at.
Status find_step_kernel(const DecodeStep& step, StepKernel& kernel);

/// @param kernel  that of the step
Status decode_step(const StepKernel& kernel, const DecodeStep& step, cudaStream_t stream);

} // namespace quantscope::kernels
