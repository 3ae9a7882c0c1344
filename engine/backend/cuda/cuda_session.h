// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/backend/cuda/decode_graphs.h"
#include "engine/backend/cuda/forward.h"

#include <vector>

namespace quantscope::cuda {

/// The Llama graph on a GPU. Between the linears numbers are f32; the KV cache (unless the scheme quantizes
/// it), the tables and the fp16 scheme's linears are halves.
///   decode   the inputs of one token, all slots in one pass, as a CUDA graph
///   prefill  longer inputs, one after the other in passes of up to prefill_rows tokens
class CudaSession final : public Session {
  public:
    CudaSession(const ModelConfig& config, const Scheme& scheme, ModelWeights weights, int max_slots,
                int context_length);
    ~CudaSession() override;

    /// Allocates cache and workspace; to be called once, before anything else. Errors: oom, device.
    Expected<> open();

    Expected<> step(std::span<const SlotInput> inputs, std::span<float> logits) override;
    Expected<> step_greedy(std::span<const SlotInput> inputs, std::span<std::int32_t> ids) override;
    std::string find_not_finite(int slot, std::span<const std::int32_t> tokens) override;
    void reset(int slot) override;
    int length(int slot) const override;
    int context_length() const override { return context_length_; }
    int max_slots() const override { return static_cast<int>(lengths_.size()); }
    int vocab_size() const override { return config_.vocab_size; }
    MemoryReport memory() const override;
    std::int64_t bytes_per_decode_step(int batch, int context) const override;

  private:
    /// Where a step's results go; one of them is null.
    struct Outputs {
        float* logits = nullptr;
        std::int32_t* ids = nullptr;
    };

    Expected<> run(std::span<const SlotInput> inputs, const Outputs& outputs);
    Expected<> decode(std::span<const SlotInput> inputs, const Outputs& outputs);
    Expected<> prefill(std::span<const SlotInput> inputs, const Outputs& outputs);
    void append(std::int32_t token, int slot);
    void ask_for_logits(std::size_t input);
    kernels::Status pass(Pass pass, const Outputs& outputs);
    kernels::Status await_id();

    ModelConfig config_;
    Scheme scheme_;
    ModelWeights weights_;
    int context_length_;
    std::vector<int> lengths_; ///< [max_slots]
    Workspace workspace_;
    Forward forward_;
    cudaStream_t stream_ = nullptr;
    DecodeGraphs graphs_;

    int rows_ = 0;                    ///< of the pass being gathered
    std::vector<std::size_t> wanted_; ///< inputs whose logits the pass computes, in order
};

} // namespace quantscope::cuda
