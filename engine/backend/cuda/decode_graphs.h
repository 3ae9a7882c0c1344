// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cuda/forward.h"

#include <map>
#include <tuple>

namespace quantscope::cuda {

/// Decode passes captured as CUDA graphs, one for each size that occurred: a launch costs microseconds
/// instead of those of some hundred kernels.
class DecodeGraphs {
  public:
    DecodeGraphs() = default;
    DecodeGraphs(const DecodeGraphs&) = delete;
    DecodeGraphs& operator=(const DecodeGraphs&) = delete;
    ~DecodeGraphs();

    /// Enqueues the pass as a graph, captured now if it is the first of its size.
    kernels::Status launch(const Forward& forward, const Pass& pass, cudaStream_t stream);

  private:
    std::map<std::tuple<int, int, bool>, cudaGraphExec_t> graphs_; ///< rows, splits, greedy
};

} // namespace quantscope::cuda
