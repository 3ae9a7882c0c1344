// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cuda/model_weights.h"
#include "engine/backend/cuda/workspace.h"
#include "engine/schemes/scheme.h"
#include "kernels/step/decode_step.h"

namespace quantscope::cuda {

/// Decode passes of one row as one resident kernel (kernels/step), where model and device allow it. Results
/// are those of the separate kernels, bit for bit.
class WholeStep {
  public:
    /// The workspace must be allocated. A model or device that the kernel does not take is no error.
    kernels::Status open(const ModelConfig& config, const Scheme& scheme, const ModelWeights& weights,
                         const Workspace& workspace, int max_slots, int context_length);

    /// From now on it takes nothing.
    void give_up() { kernel_ = {}; }

    /// Whether a decode pass of `rows` rows runs as one kernel.
    bool takes(int rows) const { return kernel_.function != nullptr && rows == 1; }

    /// From the first of `rows` to its logits.
    /// @param id  receives that of the largest logit when the step is done; may be null
    kernels::Status enqueue(const RowLists& rows, std::int32_t* id, cudaStream_t stream) const;

  private:
    kernels::StepKernel kernel_;
    kernels::DecodeStep step_;
    kernels::DeviceBuffer<kernels::StepLayer> layers_;
    kernels::DeviceBuffer<kernels::Tagged> exchange_;
    kernels::DeviceBuffer<kernels::StepCounters> counters_;
};

} // namespace quantscope::cuda
