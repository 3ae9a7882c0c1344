// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/forward.h"

#include "engine/schemes/quantize.h"
#include "kernels/attention/decode_attention.h"
#include "kernels/attention/head_transform.h"
#include "kernels/gemm/multiply.h"
#include "kernels/rows/biased_rows.h"
#include "kernels/rows/row_transform.h"
#include "kernels/tokens/tokens.h"

namespace quantscope::cuda {

using kernels::Epilogue;
using kernels::Status;

/// `gamma` null: no norm. A buffer without data: a norm whose gamma is folded away.
Status Forward::prepare(const Pass& pass, const float* x, int cols, const kernels::DeviceBuffer<float>* gamma,
                        int hadamard, const kernels::Launch& how) const {
    kernels::RowTransform transform;
    transform.x = x;
    transform.rows = pass.rows;
    transform.cols = cols;
    transform.normalize = gamma != nullptr;
    transform.gamma = gamma != nullptr ? gamma->data() : nullptr;
    transform.eps = static_cast<float>(config_.rms_norm_eps);
    transform.hadamard_block = hadamard;
    transform.store =
        scheme_.activations == Precision::fp16 ? kernels::RowStore::f16 : kernels::RowStore::codes;
    transform.layout = pass.layout;
    transform.out = w_.input.data();
    transform.scales = w_.scales.data();
    transform.largest_code = largest_code(scheme_.activations);
    transform.clip = scheme_.activation_clip;
    return kernels::transform_rows(transform, how);
}

kernels::StreamGemm Forward::product(const Pass& pass, const kernels::PackedWeights& weights, float* out,
                                     Epilogue epilogue) const {
    kernels::StreamGemm gemm{&weights, w_.input.data(), w_.scales.data(), pass.rows, out, epilogue};
    gemm.overlap_previous = true;
    gemm.layout = pass.layout;
    gemm.code_shift = kernels::code_shift(pass.layout, largest_code(scheme_.activations));
    gemm.split_sums = &w_.split_sums;
    return gemm;
}

Status Forward::multiply(const Pass& pass, const kernels::PackedWeights& weights, float* out,
                         Epilogue epilogue, cudaStream_t stream) const {
    return kernels::multiply(product(pass, weights, out, epilogue), stream);
}

Status Forward::add_to_residual(const Pass& pass, const kernels::PackedWeights& weights,
                                const kernels::DeviceBuffer<float>& bias, cudaStream_t stream) const {
    QS_TRY(multiply(pass, weights, w_.residual.data(), Epilogue::add_residual, stream));
    return bias.size() == 0 ? Status{}
                            : kernels::add_bias(w_.residual.data(), bias.data(), pass.rows,
                                                config_.hidden_size, {stream, true});
}

Status Forward::attention_block(const Pass& pass, int index, cudaStream_t stream) const {
    const LayerWeights& layer = weights_.layers[static_cast<std::size_t>(index)];
    kernels::AttentionRows rows;
    rows.shape = shape_;
    rows.qkv = w_.qkv.data();
    w_.set_cache(index, max_slots_, rows);
    rows.slots = w_.rows.device_list(RowLists::slots);
    rows.positions = w_.rows.device_list(RowLists::positions);
    rows.rows = pass.rows;

    // The first kernel after the pass's lists are written waits for them with all it has: attend_decode()
    // reads slots and positions before its own wait, and where grids are small it starts when that writer
    // still runs.
    const bool overlaps = index > 0;
    QS_TRY(prepare(pass, w_.residual.data(), config_.hidden_size, &layer.input_norm, 1, {stream, overlaps}));
    const kernels::StreamGemm qkv = product(pass, layer.qkv, w_.qkv.data(), Epilogue::store_f32);
    const kernels::HeadTransform heads{.shape = shape_,
                                       .qkv = w_.qkv.data(),
                                       .rows = pass.rows,
                                       .bias = layer.qkv_bias.data(),
                                       .q_gamma = layer.q_norm.data(),
                                       .k_gamma = layer.k_norm.data(),
                                       .eps = static_cast<float>(config_.rms_norm_eps)};
    if (heads.has_work()) {
        QS_TRY(kernels::multiply(qkv, stream));
        QS_TRY(kernels::transform_heads(heads, {stream, true}));
    }
    if (pass.splits > 0) {
        if (!heads.has_work()) {
            QS_TRY(kernels::multiply(qkv, stream));
        }
        const int q_size = shape_.heads * shape_.head_dim;
        const int kv_size = shape_.kv_heads * shape_.head_dim;
        QS_TRY(probe(index, "q_proj", w_.qkv.data(), q_size));
        QS_TRY(probe(index, "k_proj", w_.qkv.data() + q_size, kv_size));
        QS_TRY(probe(index, "v_proj", w_.qkv.data() + q_size + kv_size, kv_size));
        QS_TRY(kernels::attend_decode(rows, w_.cosines.data(), w_.sines.data(), w_.attended.data(),
                                      w_.partials.data(), pass.splits, {stream, true}));
    } else {
        QS_TRY(heads.has_work()
                   ? kernels::rotate_and_append(rows, w_.cosines.data(), w_.sines.data(), {stream, true})
                   : kernels::multiply_and_append(qkv, {rows, w_.cosines.data(), w_.sines.data()}, stream));
        QS_TRY(kernels::attend(rows, w_.attended.data(), nullptr, 0, {stream, true}));
    }
    QS_TRY(probe(index, "attention", w_.attended.data(), shape_.heads * shape_.head_dim));
    QS_TRY(prepare(pass, w_.attended.data(), shape_.heads * shape_.head_dim, nullptr, 1, {stream, true}));
    QS_TRY(add_to_residual(pass, layer.o_proj, layer.o_bias, stream));
    return probe(index, "o_proj", w_.residual.data(), config_.hidden_size);
}

Status Forward::mlp_block(const Pass& pass, int index, cudaStream_t stream) const {
    const LayerWeights& layer = weights_.layers[static_cast<std::size_t>(index)];
    QS_TRY(prepare(pass, w_.residual.data(), config_.hidden_size, &layer.mlp_norm, 1, {stream, true}));
    if (layer.gate_up_bias.size() > 0) {
        QS_TRY(multiply(pass, layer.gate_up, w_.gate_up.data(), Epilogue::store_f32, stream));
        QS_TRY(kernels::silu_multiply_biased(w_.gate_up.data(), layer.gate_up_bias.data(), pass.rows,
                                             config_.intermediate_size, w_.inner.data(), {stream, true}));
    } else {
        QS_TRY(multiply(pass, layer.gate_up, w_.inner.data(), Epilogue::silu_mul, stream));
    }
    QS_TRY(probe(index, "silu(gate_proj) * up_proj", w_.inner.data(), config_.intermediate_size));
    QS_TRY(prepare(pass, w_.inner.data(), config_.intermediate_size, nullptr, weights_.online_hadamard_block,
                   {stream, true}));
    QS_TRY(add_to_residual(pass, layer.down_proj, layer.down_bias, stream));
    return probe(index, "down_proj", w_.residual.data(), config_.hidden_size);
}

Status Forward::logits(const Pass& pass, cudaStream_t stream) const {
    kernels::RowTransform norm;
    norm.x = w_.residual.data();
    norm.rows_of = w_.rows.device_list(RowLists::logits_rows);
    norm.rows = pass.logits_rows;
    norm.cols = config_.hidden_size;
    norm.normalize = true;
    norm.gamma = weights_.final_norm.data();
    norm.eps = static_cast<float>(config_.rms_norm_eps);
    norm.store = kernels::RowStore::f16;
    norm.out = w_.input.data();
    QS_TRY(kernels::transform_rows(norm, {stream, true}));
    QS_TRY(kernels::multiply({&weights_.lm_head, w_.input.data(), nullptr, pass.logits_rows, w_.logits.data(),
                              Epilogue::store_f32, true},
                             stream));
    return pass.greedy ? kernels::largest_logits(w_.logits.data(), pass.logits_rows, config_.vocab_size,
                                                 w_.ids.data(), {stream, true})
                       : Status{};
}

Status Forward::enqueue(Pass pass, cudaStream_t stream) const {
    if (one_kernel(pass)) { // a decode pass asks for every row's logits
        return whole_step_.enqueue(w_.rows, pass.greedy ? w_.ids.data() : nullptr, stream);
    }
    QS_TRY(kernels::row_layout_for(weights_.layers.front().qkv.format, pass.rows, pass.splits == 0,
                                   pass.layout));
    const RowLists& rows = w_.rows; // the host's, which it leaves alone until the pass is over
    QS_TRY(kernels::embed_tokens(weights_.embedding_table(), rows.host_list(RowLists::tokens), pass.rows,
                                 w_.residual.data(), {stream, false},
                                 {rows.host.data(), rows.device.data(), rows.capacity, RowLists::lists}));
    for (int i = 0; i < config_.num_hidden_layers; ++i) {
        QS_TRY(attention_block(pass, i, stream));
        QS_TRY(mlp_block(pass, i, stream));
    }
    return pass.logits_rows > 0 ? logits(pass, stream) : Status{};
}

} // namespace quantscope::cuda
