// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/schemes/scheme.h"
#include "engine/schemes/weight_role.h"

#include <span>
#include <vector>

namespace quantscope {

/// The rotations of QuaRot (arXiv 2404.00456, section 4) for one model's sizes. Weights are [out][in]
/// row-major f32, y = W x; every function works in place. With R = diag(H, ...) D on the residual stream (x'
/// = R x):
///   q, k, v, gate, up, lm_head:  W' = W diag(gamma) R^T     o, down: W' = R W
///   embedding rows:              e' = R e
///   v rows / o columns:          H on each head             down columns: block H, undone online on its
///   input
/// RMSNorm commutes with R once its gamma is folded away. Where a size is no power of two, the block Hadamard
/// of its largest power-of-two divisor stands in: orthogonal all the same. With Rotation::none every function
/// returns at once and gamma stays where it is (folds_norms() is false).
class WeightRotation {
  public:
    WeightRotation(Rotation rotation, int hidden_size, int intermediate_size, int head_dim);

    bool folds_norms() const { return active_; } ///< norms then multiply by nothing
    int online_block() const {
        return active_ ? intermediate_block_ : 1;
    } ///< block Hadamard of down_proj's input

    void embedding(std::span<float> weight) const; ///< [vocab][hidden]
    /// Linears that read a norm's output; [out][hidden], gamma [hidden].
    void reads_residual(std::span<float> weight, std::span<const float> gamma) const;
    void v_output(std::span<float> weight) const;  ///< after reads_residual(); [kv_heads * head_dim][hidden]
    void o_proj(std::span<float> weight) const;    ///< [hidden][heads * head_dim]
    void down_proj(std::span<float> weight) const; ///< [hidden][intermediate]
    /// The bias beside a weight: R b where the linear adds to the residual, H b where it makes values, else
    /// b.
    void bias(WeightRole role, std::span<float> bias) const;

  private:
    void rotate_residual(std::span<float> row) const;
    void rotate_outputs(std::span<float> weight, std::size_t columns, int block, bool signs) const;

    bool active_;
    std::size_t hidden_;
    std::size_t intermediate_;
    int hidden_block_;
    int intermediate_block_;
    int head_block_;
    std::vector<float> signs_;
};

} // namespace quantscope
