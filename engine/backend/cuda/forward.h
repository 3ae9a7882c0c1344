// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cuda/model_weights.h"
#include "engine/backend/cuda/whole_step.h"
#include "engine/backend/cuda/workspace.h"
#include "engine/schemes/scheme.h"
#include "kernels/gemm/stream_gemm.h"

#include <functional>
#include <utility>

namespace quantscope::cuda {

/// One pass through the Llama graph.
struct Pass {
    int rows = 0;
    int logits_rows = 0; ///< how many rows' logits are asked for (RowLists::logits_rows)
    int splits = 0;      ///< decode: covers the longest sequence; 0: prefill, a block takes a whole sequence
    bool greedy = false; ///< also find the largest logits
    bool separate = false; ///< by the separate kernels, even where one does all
    kernels::RowLayout layout = kernels::RowLayout::rows; ///< of what the linears read; set by enqueue()
};

/// Called with a part of a pass as soon as it is enqueued: where it writes its `count` numbers of the first
/// row.
using PartProbe = std::function<kernels::Status(int layer, const char* part, const float* values, int count)>;

/// The kernels of a pass, in order, on one stream: norm and quantize, qkv, RoPE and cache, attention,
/// quantize, o_proj, norm and quantize, gate and up, Hadamard and quantize, down_proj; then the logits. Every
/// kernel starts while the one before it ends. Decode passes of few rows are one kernel instead (WholeStep).
class Forward {
  public:
    Forward(const ModelConfig& config, const Scheme& scheme, const ModelWeights& weights,
            const Workspace& workspace, int max_slots, int context_length)
        : config_(config), scheme_(scheme), weights_(weights), w_(workspace), max_slots_(max_slots),
          shape_(attention_shape(config, context_length)) {}

    /// To be called once, when the workspace is allocated.
    kernels::Status open() {
        return whole_step_.open(config_, scheme_, weights_, w_, max_slots_, shape_.context);
    }

    /// Whether the pass runs as one kernel, which needs no graph.
    bool one_kernel(const Pass& pass) const {
        return pass.splits > 0 && !pass.separate && whole_step_.takes(pass.rows);
    }
    void use_separate_kernels() { whole_step_.give_up(); }

    /// From now on; null: none. A pass that runs as one kernel has no parts.
    void set_probe(PartProbe probe) { probe_ = std::move(probe); }

    /// Enqueues the pass; rows are read from w.rows.device.
    kernels::Status enqueue(Pass pass, cudaStream_t stream) const;

  private:
    kernels::Status attention_block(const Pass& pass, int index, cudaStream_t stream) const;
    kernels::Status mlp_block(const Pass& pass, int index, cudaStream_t stream) const;
    kernels::Status probe(int layer, const char* part, const float* values, int count) const {
        return probe_ ? probe_(layer, part, values, count) : kernels::Status{};
    }
    kernels::Status logits(const Pass& pass, cudaStream_t stream) const;
    /// Rows of `x`, as the linears of this scheme read them.
    kernels::Status prepare(const Pass& pass, const float* x, int cols,
                            const kernels::DeviceBuffer<float>* gamma, int hadamard,
                            const kernels::Launch& how) const;
    kernels::StreamGemm product(const Pass& pass, const kernels::PackedWeights& weights, float* out,
                                kernels::Epilogue epilogue) const;
    kernels::Status multiply(const Pass& pass, const kernels::PackedWeights& weights, float* out,
                             kernels::Epilogue epilogue, cudaStream_t stream) const;
    kernels::Status add_to_residual(const Pass& pass, const kernels::PackedWeights& weights,
                                    const kernels::DeviceBuffer<float>& bias, cudaStream_t stream) const;

    const ModelConfig& config_;
    const Scheme& scheme_;
    const ModelWeights& weights_;
    const Workspace& w_;
    int max_slots_;
    kernels::AttentionShape shape_;
    WholeStep whole_step_;
    PartProbe probe_;
};

} // namespace quantscope::cuda
