// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/attention.h"

namespace quantscope::kernels {

/// Whether attend_prefill() takes heads of this size.
constexpr bool prefill_takes(int head_dim) {
    return head_dim == 64 || head_dim == 128;
}

/// attend() without partials on tensor cores, for rows of which many share a slot.
Status attend_prefill(const AttentionRows& rows, float* out, const Launch& how);

/// Its form for every device; its forms for devices with wgmma, over halves and over codes: the same
/// products, over halves 128 keys at a time instead of 64.
Status attend_prefill_mma(const AttentionRows& rows, float* out, const Launch& how);
Status attend_prefill_wgmma(const AttentionRows& rows, float* out, const Launch& how);
Status attend_prefill_wgmma_codes(const AttentionRows& rows, float* out, const Launch& how);

} // namespace quantscope::kernels
