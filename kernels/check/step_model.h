// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/gemm/wgmma_gemm.h"
#include "kernels/rows/row_transform.h"
#include "kernels/step/decode_step.h"

#include <vector>

namespace quantscope::kernels {

/// A model of random packed weights and a random KV cache, for checks and timings of whole decode steps.
class StepModel {
  public:
    /// @param positions  of each row's token; row m is slot m, -1 marks a row that pads the batch
    Status make(const StepShape& shape, WeightFormat format, int hadamard_block,
                const std::vector<std::int32_t>& positions, unsigned seed);

    /// The residual becomes the tokens' embeddings, the newest keys and values are poisoned, and so are
    /// outputs.
    Status reset();

    /// By decode_step, where `kernel` has a function.
    Status run_step(cudaStream_t stream);
    /// The same step by the separate kernels.
    Status run_separately(cudaStream_t stream);

    /// Which kernels of a layer run_separately() leaves out, to see what they cost; bit n: the n-th of norm,
    /// qkv, attention, quantization, o_proj, norm, gate_up, Hadamard, down_proj; bit 9: lm_head.
    unsigned skip = 0;

    /// What changes with step.largest_code and the like.
    Status find_kernel() { return find_step_kernel(step, kernel); }

    DecodeStep step;
    StepKernel kernel;
    std::size_t weight_bytes = 0; ///< read by a step, scales included
    std::size_t cache_bytes = 0;  ///< keys and values that the step reads
    DeviceBuffer<float> residual;
    DeviceBuffer<float> logits;
    DeviceBuffer<std::int32_t> id; ///< of the largest logit, by decode_step
    DeviceBuffer<__half> keys;
    DeviceBuffer<__half> values;

  private:
    Status make_weights(WeightFormat format, RowOrder order, int rows, int cols, PackedWeights& out);
    Status prepare(const float* x, int cols, const float* gamma, bool normalize, int hadamard, RowStore store,
                   RowLayout layout, cudaStream_t stream) const;
    Status layer_separately(int layer, cudaStream_t stream);

    unsigned seed_ = 0;
    std::vector<PackedWeights> weights_;
    PackedWeights embedding_;
    DeviceBuffer<std::int32_t> tokens_;
    std::vector<__half> first_keys_;
    std::vector<__half> first_values_;
    DeviceBuffer<StepLayer> layers_;
    DeviceBuffer<float> gammas_;
    DeviceBuffer<float> cosines_;
    DeviceBuffer<float> sines_;
    DeviceBuffer<std::int32_t> slots_;
    DeviceBuffer<std::int32_t> positions_;
    DeviceBuffer<float> qkv_;
    DeviceBuffer<float> partials_;
    DeviceBuffer<float> attended_;
    DeviceBuffer<float> inner_;
    DeviceBuffer<__half> codes_;
    DeviceBuffer<float> scales_;
    DeviceBuffer<Tagged> exchange_;
    DeviceBuffer<StepCounters> counters_;
    RowLayout layout_{}; ///< of what the linears read
    SplitSums split_sums_;
};

/// Llama-2-7B's sizes with `layers` layers and room for `context` tokens.
StepShape llama_2_7b(int layers, int context);

} // namespace quantscope::kernels
