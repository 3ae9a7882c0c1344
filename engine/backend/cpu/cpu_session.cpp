// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_session.h"

#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/step_check.h"
#include "engine/model/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace quantscope::cpu {
namespace {

/// Below this many elements an elementwise pass stays on one thread.
constexpr std::int64_t parallel_elements = 1'000'000;

void round_to_halves(std::span<float> values) {
    std::vector<std::uint16_t> halves(values.size());
    kernels().to_f16(values.data(), static_cast<std::int64_t>(values.size()), halves.data());
    std::transform(halves.begin(), halves.end(), values.begin(), f16_to_f32);
}

std::int32_t largest(const float* logits, int count) {
    std::int32_t best = 0;
    float best_value = -INFINITY;
    bool finite = true;
    for (int i = 0; i < count; ++i) {
        finite = finite && std::isfinite(logits[i]);
        if (logits[i] > best_value) {
            best_value = logits[i];
            best = i;
        }
    }
    return finite ? best : not_finite_id;
}

int max_rows(int max_slots) {
    return std::max(CpuSession::prefill_rows, max_slots);
}

std::size_t elements(std::int64_t a, std::int64_t b) {
    return static_cast<std::size_t>(a * b);
}

} // namespace

CpuSession::CpuSession(const ModelConfig& config, const Scheme& scheme, ModelWeights weights, int max_slots,
                       int context_length)
    : config_(config), weights_(std::move(weights)), context_length_(context_length),
      lengths_(static_cast<std::size_t>(max_slots), 0), rope_(config, context_length),
      cache_(config, KvCache::storage_of(scheme), max_slots, context_length),
      rounds_to_halves_(scheme.weights != Precision::fp16) {
    const int rows = max_rows(max_slots);
    const std::int64_t q_size = std::int64_t{config.num_attention_heads} * config.head_dim;
    const std::int64_t kv_size = std::int64_t{config.num_key_value_heads} * config.head_dim;
    const std::int64_t widest = std::max<std::int64_t>(
        {q_size + 2 * kv_size, config.hidden_size, 2 * std::int64_t{config.intermediate_size}});
    residual_ = Buffer<float>(elements(rows, config.hidden_size));
    projected_ = Buffer<float>(elements(rows, widest));
    scratch_ = Buffer<float>(elements(thread_count(), attend_scratch(context_length, config.head_dim)));
    greedy_logits_ = Buffer<float>(elements(max_slots, config.vocab_size));
    hidden_input_ = LinearInput(rows, config.hidden_size, scheme.activations, scheme.activation_clip);
    attended_ = LinearInput(rows, q_size, scheme.activations, scheme.activation_clip);
    inner_ = LinearInput(rows, config.intermediate_size, scheme.activations, scheme.activation_clip);
    head_input_ = LinearInput(max_slots, config.hidden_size, Precision::fp16, 1.0F);
}

Expected<> CpuSession::step(std::span<const SlotInput> inputs, std::span<float> logits) {
    const StepLimits limits{lengths_, context_length_, config_.vocab_size};
    const std::size_t expected = inputs.size() * static_cast<std::size_t>(config_.vocab_size);
    if (auto ok = check_step(limits, inputs, logits.size(), expected); !ok) {
        return ok;
    }
    run(inputs, logits.data());
    return {};
}

Expected<> CpuSession::step_greedy(std::span<const SlotInput> inputs, std::span<std::int32_t> ids) {
    const StepLimits limits{lengths_, context_length_, config_.vocab_size};
    if (auto ok = check_step(limits, inputs, ids.size(), inputs.size()); !ok) {
        return ok;
    }
    run(inputs, greedy_logits_.data());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        ids[i] = largest(greedy_logits_.data() + i * static_cast<std::size_t>(config_.vocab_size),
                         config_.vocab_size);
    }
    return {};
}

void CpuSession::run(std::span<const SlotInput> inputs, float* logits) {
    const auto append = [&](std::int32_t token, int slot, std::int64_t logits_row) {
        int& length = lengths_[static_cast<std::size_t>(slot)];
        rows_.push_back({slot, length, token, logits_row});
        ++length;
    };
    rows_.clear();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].tokens.size() == 1) {
            append(inputs[i].tokens[0], inputs[i].slot, static_cast<std::int64_t>(i));
        }
    }
    forward(logits);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto tokens = inputs[i].tokens;
        for (std::size_t t = 0; t < tokens.size() && tokens.size() > 1; ++t) {
            const bool last = t + 1 == tokens.size();
            append(tokens[t], inputs[i].slot, last ? static_cast<std::int64_t>(i) : -1);
            if (last || rows_.size() == prefill_rows) {
                forward(logits);
            }
        }
    }
}

/// Runs rows_ through the model and clears them.
void CpuSession::forward(float* logits) {
    if (rows_.empty()) {
        return;
    }
    const std::int64_t hidden = config_.hidden_size;
    for (std::size_t m = 0; m < rows_.size(); ++m) {
        weights_.embedding_table().get_row(
            rows_[m].token, residual_.span().subspan(m * elements(hidden, 1), elements(hidden, 1)));
    }
    look(-1, "embed_tokens", residual_.data(), hidden, hidden);
    for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
        attention_block(weights_.layers[i], static_cast<std::int64_t>(i));
        mlp_block(weights_.layers[i], static_cast<std::int64_t>(i));
    }
    write_logits(logits);
    rows_.clear();
}

void CpuSession::norm(const std::vector<float>& gamma, LinearInput& to) {
    const std::int64_t hidden = config_.hidden_size;
    const auto rows = static_cast<std::int64_t>(rows_.size());
    const auto eps = static_cast<float>(config_.rms_norm_eps);
    parallel_for(rows, rows * hidden > parallel_elements, [&](std::int64_t m) {
        kernels().rms_norm(residual_.data() + m * hidden, gamma.empty() ? nullptr : gamma.data(), eps, hidden,
                           to.values() + m * to.stride());
    });
    to.prepare(static_cast<int>(rows), hidden);
}

/// projected = weights * input + bias
void CpuSession::project(const PackedLinear& linear, const LinearInput& input) {
    multiply(linear.weights, input, projected_.data(), linear.weights.outputs());
    add_bias(linear, projected_.data());
}

/// To each of the rows at `to`, which are as long as the linear has outputs.
void CpuSession::add_bias(const PackedLinear& linear, float* to) {
    const auto outputs = static_cast<std::int64_t>(linear.bias.size());
    for (std::size_t m = 0; m < rows_.size() && outputs > 0; ++m) {
        kernels().add(to + static_cast<std::int64_t>(m) * outputs, linear.bias.data(), outputs);
    }
}

/// residual += weights * input, then bias: in this order, as the product's kernels on CUDA add it themselves
void CpuSession::add_projection(const PackedLinear& linear, const LinearInput& input) {
    const std::int64_t hidden = config_.hidden_size;
    const auto rows = static_cast<std::int64_t>(rows_.size());
    multiply(linear.weights, input, projected_.data(), hidden);
    kernels().add(residual_.data(), projected_.data(), rows * hidden);
    add_bias(linear, residual_.data());
}

void CpuSession::attention_block(const LayerWeights& layer, std::int64_t index) {
    const int heads = config_.num_attention_heads;
    const int kv_heads = config_.num_key_value_heads;
    const int head_dim = config_.head_dim;
    const std::int64_t qkv_size = std::int64_t{heads + 2 * kv_heads} * head_dim;
    const auto rows = static_cast<std::int64_t>(rows_.size());
    const Kernels& k = kernels();

    norm(layer.input_norm, hidden_input_);
    look(index, "input_layernorm", hidden_input_.values(), hidden_input_.stride(), config_.hidden_size);
    project(layer.qkv, hidden_input_);
    const std::int64_t q_size = std::int64_t{heads} * head_dim;
    const std::int64_t kv_size = std::int64_t{kv_heads} * head_dim;
    look(index, "q_proj", projected_.data(), qkv_size, q_size);
    look(index, "k_proj", projected_.data() + q_size, qkv_size, kv_size);
    look(index, "v_proj", projected_.data() + q_size + kv_size, qkv_size, kv_size);
    parallel_for(rows, rows * qkv_size > parallel_elements, [&](std::int64_t m) {
        const Row& row = rows_[static_cast<std::size_t>(m)];
        float* head = projected_.data() + m * qkv_size;
        for (int h = 0; h < heads + kv_heads; ++h) {
            const std::vector<float>& gamma = h < heads ? layer.q_norm : layer.k_norm;
            if (!gamma.empty()) {
                k.rms_norm(head + h * head_dim, gamma.data(), static_cast<float>(config_.rms_norm_eps),
                           head_dim, head + h * head_dim);
            }
            k.rope(head + h * head_dim, rope_.cosines(row.position), rope_.sines(row.position), head_dim);
        }
        cache_.append(index, row.slot, row.position, head + heads * head_dim,
                      head + (heads + kv_heads) * head_dim);
    });

    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    std::int64_t pairs = 0;
    for (const Row& row : rows_) {
        pairs += row.position + 1;
    }
    parallel_for(rows * heads, pairs * heads * head_dim > parallel_elements, [&](std::int64_t task) {
        const std::int64_t m = task / heads;
        const int h = static_cast<int>(task % heads);
        const Row& row = rows_[static_cast<std::size_t>(m)];
        cache_.attend(index, row.slot, h / (heads / kv_heads),
                      projected_.data() + m * qkv_size + h * head_dim, row.position + 1, scale,
                      scratch_.data() + thread_index() * attend_scratch(context_length_, head_dim),
                      attended_.values() + m * attended_.stride() + h * head_dim);
    });
    look(index, "attention", attended_.values(), attended_.stride(), q_size);
    attended_.prepare(static_cast<int>(rows), q_size);
    add_projection(layer.o_proj, attended_);
    look(index, "o_proj", residual_.data(), config_.hidden_size, config_.hidden_size);
}

void CpuSession::mlp_block(const LayerWeights& layer, std::int64_t index) {
    const std::int64_t inner = config_.intermediate_size;
    const auto rows = static_cast<std::int64_t>(rows_.size());
    const Kernels& k = kernels();
    norm(layer.mlp_norm, hidden_input_);
    look(index, "post_attention_layernorm", hidden_input_.values(), hidden_input_.stride(),
         config_.hidden_size);
    project(layer.gate_up, hidden_input_);
    look(index, "gate_proj", projected_.data(), 2 * inner, inner);
    look(index, "up_proj", projected_.data() + inner, 2 * inner, inner);
    parallel_for(rows, rows * inner > parallel_elements, [&](std::int64_t m) {
        float* const gate = projected_.data() + m * 2 * inner;
        float* const out = inner_.values() + m * inner_.stride();
        k.silu_multiply(gate, gate + inner, inner);
        std::memcpy(out, gate, static_cast<std::size_t>(inner) * sizeof(float));
        if (weights_.online_hadamard_block > 1) {
            k.hadamard(out, inner, weights_.online_hadamard_block);
        }
    });
    look(index, "silu(gate_proj) * up_proj", inner_.values(), inner_.stride(), inner);
    inner_.prepare(static_cast<int>(rows), inner);
    add_projection(layer.down_proj, inner_);
    look(index, "down_proj", residual_.data(), config_.hidden_size, config_.hidden_size);
}

void CpuSession::write_logits(float* logits) {
    const std::int64_t hidden = config_.hidden_size;
    const float* const gamma = weights_.final_norm.empty() ? nullptr : weights_.final_norm.data();
    std::vector<std::int64_t> wanted;
    for (std::size_t m = 0; m < rows_.size(); ++m) {
        if (rows_[m].logits_row < 0) {
            continue;
        }
        float* const row =
            head_input_.values() + static_cast<std::int64_t>(wanted.size()) * head_input_.stride();
        kernels().rms_norm(residual_.data() + static_cast<std::int64_t>(m) * hidden, gamma,
                           static_cast<float>(config_.rms_norm_eps), hidden, row);
        if (rounds_to_halves_) {
            round_to_halves(std::span(row, elements(hidden, 1)));
        }
        wanted.push_back(rows_[m].logits_row);
    }
    if (wanted.empty()) {
        return;
    }
    head_input_.prepare(static_cast<int>(wanted.size()), hidden);
    // Rows of a pass ascend in logits_row, but need not be neighbours there.
    const bool neighbours = wanted.back() - wanted.front() + 1 == static_cast<std::int64_t>(wanted.size());
    if (neighbours) {
        multiply(weights_.lm_head, head_input_, logits + wanted.front() * config_.vocab_size,
                 config_.vocab_size);
        return;
    }
    std::vector<float> rows(wanted.size() * elements(config_.vocab_size, 1));
    multiply(weights_.lm_head, head_input_, rows.data(), config_.vocab_size);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        std::memcpy(logits + wanted[i] * config_.vocab_size,
                    rows.data() + i * elements(config_.vocab_size, 1),
                    elements(config_.vocab_size, sizeof(float)));
    }
}

/// Remembers the first number of these rows that is not finite, while such a number is looked for.
void CpuSession::look(std::int64_t layer, const char* part, const float* rows, std::int64_t stride,
                      std::int64_t size) {
    for (std::size_t m = 0; looking_ && not_finite_.empty() && m < rows_.size(); ++m) {
        const float* const row = rows + static_cast<std::int64_t>(m) * stride;
        if (!std::all_of(row, row + size, [](float value) { return std::isfinite(value); })) {
            not_finite_ = layer < 0 ? part : fmt::format("layer {}, {}", layer, part);
        }
    }
}

std::string CpuSession::find_not_finite(int slot, std::span<const std::int32_t> tokens) {
    reset(slot);
    const SlotInput input{slot, tokens};
    const StepLimits limits{lengths_, context_length_, config_.vocab_size};
    if (!check_step(limits, {&input, 1}, 1, 1)) {
        return {};
    }
    looking_ = true;
    not_finite_.clear();
    run({&input, 1}, greedy_logits_.data());
    looking_ = false;
    reset(slot);
    return not_finite_.empty() ? "norm or lm_head" : not_finite_;
}

void CpuSession::reset(int slot) {
    if (slot >= 0 && slot < max_slots()) {
        lengths_[static_cast<std::size_t>(slot)] = 0;
    }
}

int CpuSession::length(int slot) const {
    return slot >= 0 && slot < max_slots() ? lengths_[static_cast<std::size_t>(slot)] : 0;
}

MemoryReport CpuSession::memory() const {
    std::int64_t panel = 0;
    for (const LayerWeights& layer : weights_.layers) {
        panel = std::max({panel, panel_bytes(layer.qkv.weights), panel_bytes(layer.o_proj.weights),
                          panel_bytes(layer.down_proj.weights)});
    }
    return {.linear_weight_bytes = weights_.linear_bytes(),
            .linear_weight_count = weights_.linear_count(),
            .other_weight_bytes = weights_.other_bytes(),
            .kv_cache_bytes = cache_.bytes(),
            .workspace_bytes = residual_.bytes() + projected_.bytes() + scratch_.bytes() +
                               greedy_logits_.bytes() + hidden_input_.bytes() + attended_.bytes() +
                               inner_.bytes() + head_input_.bytes() + panel * thread_count() +
                               static_cast<std::int64_t>(rope_.bytes())};
}

std::int64_t CpuSession::bytes_per_decode_step(int batch, int context) const {
    return weights_.linear_bytes() + weights_.lm_head.bytes() +
           KvCache::bytes_a_token(config_, cache_.storage()) * batch * context;
}

} // namespace quantscope::cpu
