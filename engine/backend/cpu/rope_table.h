// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/config.h"

#include <vector>

namespace quantscope::cpu {

/// Cosines and sines of the rotary embedding (Su et al. 2021), computed in single precision like
/// transformers.
class RopeTable {
  public:
    RopeTable() = default;
    RopeTable(const ModelConfig& config, int context_length);

    const float* cosines(int position) const {
        return cosines_.data() + static_cast<std::size_t>(position) * half_;
    }
    const float* sines(int position) const {
        return sines_.data() + static_cast<std::size_t>(position) * half_;
    }
    std::size_t bytes() const { return (cosines_.size() + sines_.size()) * sizeof(float); }

  private:
    std::size_t half_ = 0;
    std::vector<float> cosines_; ///< [context_length][head_dim / 2]
    std::vector<float> sines_;
};

} // namespace quantscope::cpu
