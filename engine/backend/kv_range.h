// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/model/checkpoint.h"
#include "engine/schemes/scheme.h"

namespace quantscope {

/// How large keys and values can become, by the Cauchy-Schwarz inequality: a normalized row has a length of
/// at most sqrt(hidden), so that a product with a row w of weights is at most sqrt(hidden) |w * gamma|.
/// Quantized rows are a little longer; that a bound is nearly reached and then passed by that does not happen
/// outside of constructions.
struct KvRange {
    struct Bound {
        double size = 0.0;
        int layer = 0;
    };
    Bound key; ///< after RoPE, which turns pairs
    Bound value;
    Bound rotated_value; ///< of a head that is rotated
};

/// Reads the weights of k_proj and v_proj once for each model. Errors: bad_input (weights that are not
/// finite), as Checkpoint::tensor().
Expected<KvRange> kv_range(const Checkpoint& checkpoint);

/// Whether a KV cache of halves can hold them under this scheme. Errors: unsupported, naming layer and
/// linear; as kv_range().
Expected<> check_halves_hold_kv(const Checkpoint& checkpoint, const Scheme& scheme);

/// The same of the CUDA engine's cache of codes: in prefill a value's weight, which is at most its scale
/// times 256, is halves on its way to the tensor cores (kernels/attention/prefill_codes.cuh).
Expected<> check_cuda_codes_hold_kv(const Checkpoint& checkpoint, const Scheme& scheme);

} // namespace quantscope
