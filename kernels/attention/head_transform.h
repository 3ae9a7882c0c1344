// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"

namespace quantscope::kernels {

/// What an architecture does to q, k and v between their product and RoPE.
struct HeadTransform {
    AttentionShape shape;
    float* qkv = nullptr; ///< [rows][qkv_size], in place
    int rows = 0;
    const float* bias = nullptr;    ///< [qkv_size], or null
    const float* q_gamma = nullptr; ///< [head_dim]: RMSNorm of each head of q; null: none
    const float* k_gamma = nullptr; ///< likewise of k
    float eps = 0.0F;

    bool has_work() const { return bias != nullptr || q_gamma != nullptr || k_gamma != nullptr; }
};

/// x <- x + bias, then RMSNorm of the heads of q and k, with the CPU engine's bits.
Status transform_heads(const HeadTransform& transform, const Launch& how);

} // namespace quantscope::kernels
