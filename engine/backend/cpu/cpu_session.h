// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/backend/cpu/kv_cache.h"
#include "engine/backend/cpu/linear.h"
#include "engine/backend/cpu/model_weights.h"
#include "engine/backend/cpu/rope_table.h"

#include <vector>

namespace quantscope::cpu {

/// The Llama graph in f32 around the scheme's linears. Beside quantized linears the KV cache (unless the
/// scheme quantizes it), the tables and lm_head's input are halves, as on CUDA; where nothing is quantized,
/// all is computed in f32, what CUDA's halves are measured against. Rows (tokens) of one pass share the
/// weights' way through the cache, nothing else: each row's result is a function of its own slot.
///   decode   the inputs of one token, all slots in one pass
///   prefill  longer inputs, each slot alone, in passes of prefill_rows tokens
class CpuSession final : public Session {
  public:
    static constexpr int prefill_rows = 128;

    CpuSession(const ModelConfig& config, const Scheme& scheme, ModelWeights weights, int max_slots,
               int context_length);

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
    /// One token on its way through the layers.
    struct Row {
        int slot;
        int position;
        std::int32_t token;
        std::int64_t logits_row; ///< -1: its logits are not asked for
    };

    void run(std::span<const SlotInput> inputs, float* logits);
    void forward(float* logits); ///< of rows_
    void attention_block(const LayerWeights& layer, std::int64_t index);
    void mlp_block(const LayerWeights& layer, std::int64_t index);
    void look(std::int64_t layer, const char* part, const float* rows, std::int64_t stride,
              std::int64_t size);
    void write_logits(float* logits);
    void norm(const std::vector<float>& gamma, LinearInput& to);
    void project(const PackedLinear& linear, const LinearInput& input);
    void add_bias(const PackedLinear& linear, float* to);
    void add_projection(const PackedLinear& linear, const LinearInput& input);

    ModelConfig config_;
    ModelWeights weights_;
    int context_length_;
    std::vector<int> lengths_; ///< [max_slots]
    RopeTable rope_;
    KvCache cache_;
    bool rounds_to_halves_; ///< lm_head's input

    bool looking_ = false;   ///< for numbers that are not finite
    std::string not_finite_; ///< where the first was

    std::vector<Row> rows_;
    Buffer<float> residual_;      ///< [rows][hidden]
    Buffer<float> projected_;     ///< [rows][widest linear output]
    Buffer<float> scratch_;       ///< [threads][attend_scratch(context_length)]
    Buffer<float> greedy_logits_; ///< [max_slots][vocab]
    LinearInput hidden_input_;    ///< of qkv, gate_up
    LinearInput attended_;        ///< of o_proj
    LinearInput inner_;           ///< of down_proj
    LinearInput head_input_;      ///< of lm_head, never quantized
};

} // namespace quantscope::cpu
