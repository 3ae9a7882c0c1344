// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/whole_step.h"

#include "engine/schemes/quantize.h"

namespace quantscope::cuda {

using kernels::Status;

namespace {

std::vector<kernels::StepLayer> table_of(const ModelWeights& weights) {
    std::vector<kernels::StepLayer> table;
    for (const LayerWeights& layer : weights.layers) {
        const kernels::PackedWeights* const linears[] = {&layer.qkv, &layer.o_proj, &layer.gate_up,
                                                         &layer.down_proj};
        kernels::StepLayer row{};
        for (int i = 0; i < kernels::linears_a_layer; ++i) {
            row.tiles[i] = linears[i]->tiles.data();
            row.scales[i] = linears[i]->scales.data();
        }
        row.input_gamma = layer.input_norm.data();
        row.mlp_gamma = layer.mlp_norm.data();
        table.push_back(row);
    }
    return table;
}

} // namespace

Status WholeStep::open(const ModelConfig& config, const Scheme& scheme, const ModelWeights& weights,
                       const Workspace& w, int max_slots, int context_length) {
    if (scheme.kv_cache != Precision::fp16 || weights.layers.front().has_extras()) {
        return {};
    }
    const std::vector<kernels::StepLayer> table = table_of(weights);
    QS_TRY(layers_.allocate(table.size()));
    QS_CUDA_TRY(cudaMemcpy(layers_.data(), table.data(), layers_.bytes(), cudaMemcpyHostToDevice),
                "copying the table of weights");
    QS_TRY(counters_.allocate(1));
    QS_CUDA_TRY(cudaMemset(counters_.data(), 0, counters_.bytes()), "clearing counters");

    step_.shape.layers = config.num_hidden_layers;
    step_.shape.hidden = config.hidden_size;
    step_.shape.intermediate = config.intermediate_size;
    step_.shape.vocab = config.vocab_size;
    step_.shape.attention = attention_shape(config, context_length);
    step_.format = weights.layers.front().qkv.format;
    step_.layers = layers_.data();
    step_.embedding_tiles = weights.embedding_table().tiles.data();
    step_.head_tiles = weights.lm_head.tiles.data();
    step_.final_gamma = weights.final_norm.data();
    step_.eps = static_cast<float>(config.rms_norm_eps);
    step_.largest_code = largest_code(scheme.activations);
    step_.clip = scheme.activation_clip;
    step_.hadamard_block = weights.online_hadamard_block;
    step_.keys = w.keys.data();
    step_.values = w.values.data();
    step_.cache_layer = static_cast<std::size_t>(max_slots) * step_.shape.attention.slot_size();
    step_.cosines = w.cosines.data();
    step_.sines = w.sines.data();
    step_.residual = w.residual.data();
    step_.logits = w.logits.data();
    step_.counters = counters_.data();
    QS_TRY(kernels::find_step_kernel(step_, kernel_));
    if (kernel_.function == nullptr) {
        return {};
    }
    QS_TRY(exchange_.allocate(kernels::ExchangeMap(step_.shape, w.max_splits).words));
    QS_CUDA_TRY(cudaMemset(exchange_.data(), 0xFF, exchange_.bytes()), "clearing exchanged values");
    step_.exchange = exchange_.data();
    return {};
}

Status WholeStep::enqueue(const RowLists& rows, std::int32_t* id, cudaStream_t stream) const {
    kernels::DecodeStep step = step_;
    step.token = rows.host_list(RowLists::tokens)[0];
    step.slot = rows.host_list(RowLists::slots)[0];
    step.position = rows.host_list(RowLists::positions)[0];
    step.splits = kernels::splits_of(step.position + 1);
    step.id = id;
    return kernels::decode_step(kernel_, step, stream);
}

} // namespace quantscope::cuda
