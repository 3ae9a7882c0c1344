// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/workspace.h"

#include "engine/backend/cpu/rope_table.h"
#include "kernels/rows/row_transform.h"

#include <algorithm>

namespace quantscope::cuda {
namespace {

using kernels::DeviceBuffer;
using kernels::Status;

Status upload(const float* from, std::size_t count, DeviceBuffer<float>& to) {
    QS_TRY(to.allocate(count));
    QS_CUDA_TRY(cudaMemcpy(to.data(), from, to.bytes(), cudaMemcpyHostToDevice), "copying the RoPE table");
    return {};
}

std::size_t product(std::int64_t a, std::int64_t b, std::int64_t c = 1, std::int64_t d = 1) {
    return static_cast<std::size_t>(a * b * c * d);
}

} // namespace

kernels::AttentionShape attention_shape(const ModelConfig& config, int context_length) {
    kernels::AttentionShape shape;
    shape.heads = config.num_attention_heads;
    shape.kv_heads = config.num_key_value_heads;
    shape.head_dim = config.head_dim;
    shape.context = context_length;
    return shape;
}

int padded_decode_rows(int rows) {
    for (const int size : {1, 2, 4, 8}) {
        if (rows <= size) {
            return size;
        }
    }
    return (rows + 7) / 8 * 8;
}

void Workspace::set_cache(int layer, int max_slots, kernels::AttentionRows& to) const {
    const kernels::AttentionShape& s = to.shape;
    const std::size_t token = product(layer, max_slots, s.kv_heads, s.context);
    const std::size_t number = token * static_cast<std::size_t>(s.head_dim);
    if (key_codes.size() == 0) {
        to.keys = keys.data() + number;
        to.values = values.data() + number;
        return;
    }
    to.key_codes = key_codes.data() + number;
    to.value_codes = value_codes.data() + number;
    to.key_scales = key_scales.data() + token;
    to.value_scales = value_scales.data() + token;
}

std::int64_t Workspace::kv_bytes() const {
    return static_cast<std::int64_t>(keys.bytes() + values.bytes() + key_codes.bytes() + value_codes.bytes() +
                                     key_scales.bytes() + value_scales.bytes());
}

Status Workspace::allocate(const ModelConfig& config, Precision kv_cache, int max_slots, int context_length) {
    const kernels::AttentionShape shape = attention_shape(config, context_length);
    const int q_size = shape.heads * shape.head_dim;
    const int widest = kernels::padded_cols(std::max({config.hidden_size, config.intermediate_size, q_size}));
    const auto longest = std::min<std::int64_t>(prefill_rows, std::int64_t{max_slots} * context_length);
    decode_rows = padded_decode_rows(max_slots);
    pass_rows = std::max(decode_rows, static_cast<int>(longest));
    max_splits = kernels::splits_of(context_length);

    const std::size_t tokens = product(config.num_hidden_layers, max_slots, shape.kv_heads, context_length);
    const std::size_t numbers = tokens * static_cast<std::size_t>(shape.head_dim);
    if (kv_cache == Precision::int8) {
        QS_TRY(key_codes.allocate(numbers));
        QS_TRY(value_codes.allocate(numbers));
        QS_TRY(key_scales.allocate(tokens));
        QS_TRY(value_scales.allocate(tokens));
    } else {
        QS_TRY(keys.allocate(numbers));
        QS_TRY(values.allocate(numbers));
    }
    const cpu::RopeTable rope(config, context_length);
    const std::size_t table = product(context_length, shape.head_dim / 2);
    QS_TRY(upload(rope.cosines(0), table, cosines));
    QS_TRY(upload(rope.sines(0), table, sines));

    rows.capacity = pass_rows;
    QS_TRY(rows.host.allocate(product(pass_rows, RowLists::lists)));
    QS_TRY(rows.device.allocate(product(pass_rows, RowLists::lists)));
    QS_TRY(residual.allocate(product(pass_rows, config.hidden_size)));
    QS_TRY(qkv.allocate(product(pass_rows, shape.qkv_size())));
    QS_TRY(attended.allocate(product(pass_rows, q_size)));
    QS_TRY(inner.allocate(product(pass_rows, config.intermediate_size)));
    if (config.mlp_bias) {
        QS_TRY(gate_up.allocate(product(pass_rows, 2 * std::int64_t{config.intermediate_size})));
    }
    QS_TRY(input.allocate(product(pass_rows, widest)));
    QS_TRY(split_sums.allocate());
    QS_TRY(scales.allocate(product(pass_rows, 1)));
    QS_TRY(partials.allocate(
        product(decode_rows, shape.heads, max_splits, kernels::split_part_size(shape.head_dim))));
    QS_TRY(logits.allocate(product(decode_rows, config.vocab_size)));
    return ids.allocate(product(decode_rows, 1));
}

std::int64_t Workspace::other_bytes() const {
    return static_cast<std::int64_t>(cosines.bytes() + sines.bytes() + rows.device.bytes() +
                                     residual.bytes() + qkv.bytes() + attended.bytes() + inner.bytes() +
                                     gate_up.bytes() + input.bytes() + split_sums.bytes() + scales.bytes() +
                                     partials.bytes() + logits.bytes());
}

} // namespace quantscope::cuda
