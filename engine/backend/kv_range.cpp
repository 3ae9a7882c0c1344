// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/kv_range.h"

#include "engine/backend/cpu/parallel.h"
#include "engine/model/graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <mutex>

namespace quantscope {
namespace {

constexpr double largest_half = 65504.0;

Expected<std::vector<float>> read_vector(const Checkpoint& checkpoint, const std::string& name,
                                         std::int64_t size) {
    const std::array<std::int64_t, 1> shape{size};
    const auto tensor = checkpoint.tensor(name, shape);
    if (!tensor) {
        return tl::unexpected(tensor.error());
    }
    std::vector<float> values(static_cast<std::size_t>(size));
    to_f32(*tensor, 0, values);
    return values;
}

/// |row * gamma|, in chains that the compiler makes vectors of.
double weighted_length(const std::vector<float>& row, const std::vector<float>& gamma) {
    std::array<float, 16> sums{};
    std::size_t i = 0;
    for (; i + sums.size() <= row.size(); i += sums.size()) {
        for (std::size_t j = 0; j < sums.size(); ++j) {
            const float product = row[i + j] * gamma[i + j];
            sums[j] += product * product;
        }
    }
    double sum = 0.0;
    for (; i < row.size(); ++i) {
        sum += static_cast<double>(row[i]) * row[i] * gamma[i] * gamma[i];
    }
    for (const float part : sums) {
        sum += part;
    }
    return std::sqrt(sum);
}

/// The largest that each output of a linear behind a norm can be.
Expected<std::vector<double>> output_bounds(const Checkpoint& checkpoint, const LinearPart& part,
                                            const std::vector<float>& gamma) {
    const auto inputs = static_cast<std::int64_t>(gamma.size());
    const std::array<std::int64_t, 2> shape{part.outputs, inputs};
    const auto tensor = checkpoint.tensor(part.weight, shape);
    if (!tensor) {
        return tl::unexpected(tensor.error());
    }
    std::vector<float> bias(static_cast<std::size_t>(part.outputs), 0.0F);
    if (!part.bias.empty()) {
        auto read = read_vector(checkpoint, part.bias, part.outputs);
        if (!read) {
            return tl::unexpected(read.error());
        }
        bias = *std::move(read);
    }
    std::vector<double> bounds;
    std::vector<float> row(gamma.size());
    for (std::int64_t n = 0; n < part.outputs; ++n) {
        to_f32(*tensor, n * inputs, row);
        bounds.push_back(std::sqrt(static_cast<double>(inputs)) * weighted_length(row, gamma) +
                         std::fabs(bias[static_cast<std::size_t>(n)]));
    }
    if (!std::isfinite(*std::max_element(bounds.begin(), bounds.end()))) {
        if (auto finite = check_finite(*tensor); !finite) {
            return tl::unexpected(finite.error());
        }
    }
    return bounds;
}

void raise(KvRange::Bound& bound, double size, int layer) {
    bound = size > bound.size || std::isnan(size) ? KvRange::Bound{size, layer} : bound;
}

Expected<KvRange> range_of_layer(const Checkpoint& checkpoint, int layer) {
    const ModelConfig& config = checkpoint.config();
    const GraphLayer graph = graph_layer(config, layer);
    const auto gamma = read_vector(checkpoint, graph.input_norm, config.hidden_size);
    if (!gamma) {
        return tl::unexpected(gamma.error());
    }
    const auto keys = output_bounds(checkpoint, graph.qkv.parts[1], *gamma);
    const auto values = output_bounds(checkpoint, graph.qkv.parts[2], *gamma);
    if (!keys || !values) {
        return tl::unexpected(keys ? values.error() : keys.error());
    }
    KvRange range;
    const auto head_dim = static_cast<std::size_t>(config.head_dim);
    for (std::size_t head = 0; head < values->size(); head += head_dim) {
        double squares = 0.0;
        for (std::size_t i = head; i < head + head_dim; ++i) {
            raise(range.value, (*values)[i], layer);
            squares += (*values)[i] * (*values)[i];
        }
        raise(range.rotated_value, std::sqrt(squares), layer);
        for (std::size_t i = head; i < head + head_dim / 2 && graph.k_norm.empty(); ++i) {
            raise(range.key, std::hypot((*keys)[i], (*keys)[i + head_dim / 2]), layer);
        }
    }
    if (!graph.k_norm.empty()) {
        const auto head_gamma = read_vector(checkpoint, graph.k_norm, config.head_dim);
        if (!head_gamma) {
            return tl::unexpected(head_gamma.error());
        }
        for (const float value : *head_gamma) {
            raise(range.key, std::sqrt(static_cast<double>(head_dim)) * std::fabs(value), layer);
        }
    }
    range.key.size *= config.rope_scaling.attention_factor;
    return range;
}

Expected<KvRange> measure(const Checkpoint& checkpoint) {
    const int layers = checkpoint.config().num_hidden_layers;
    std::vector<Expected<KvRange>> found(static_cast<std::size_t>(layers));
    cpu::parallel_for(layers, true, [&](std::int64_t layer) {
        found[static_cast<std::size_t>(layer)] = range_of_layer(checkpoint, static_cast<int>(layer));
    });
    KvRange all;
    for (const auto& range : found) {
        if (!range) {
            return range;
        }
        raise(all.key, range->key.size, range->key.layer);
        raise(all.value, range->value.size, range->value.layer);
        raise(all.rotated_value, range->rotated_value.size, range->rotated_value.layer);
    }
    return all;
}

/// What a cache takes, and what to say and do beyond it.
struct KvLimits {
    double key;
    double value;
    std::string reason;
    std::string remedy;
};

Expected<> check_limits(const Checkpoint& checkpoint, const Scheme& scheme, const KvLimits& limits) {
    const auto range = kv_range(checkpoint);
    if (!range) {
        return tl::unexpected(range.error());
    }
    const KvRange::Bound& value = scheme.rotation == Rotation::none ? range->value : range->rotated_value;
    const bool of_values = !(value.size <= limits.value);
    if (!of_values && range->key.size <= limits.key) {
        return {};
    }
    return make_error(
        ErrorCode::unsupported,
        fmt::format("Model {} does not fit scheme {}: what layer {}'s {} gives can reach {:.3g}, and {}.",
                    checkpoint.config().name, scheme.id, of_values ? value.layer : range->key.layer,
                    of_values ? "v_proj" : "k_proj", of_values ? value.size : range->key.size, limits.reason),
        limits.remedy);
}

} // namespace

Expected<KvRange> kv_range(const Checkpoint& checkpoint) {
    static std::mutex mutex;
    static std::map<std::string, KvRange> known; // by the model's hash: the schemes of a campaign share it
    const std::lock_guard lock(mutex);
    const auto found = known.find(checkpoint.hash());
    if (found != known.end()) {
        return found->second;
    }
    auto range = measure(checkpoint);
    if (range) {
        known.emplace(checkpoint.hash(), *range);
    }
    return range;
}

Expected<> check_halves_hold_kv(const Checkpoint& checkpoint, const Scheme& scheme) {
    const std::string eight_bit = std::string(scheme.id) + "+kv8";
    return check_limits(checkpoint, scheme,
                        {largest_half, largest_half, "the KV cache holds halves, up to 65504",
                         find_scheme(eight_bit) != nullptr
                             ? fmt::format("Use {}, whose KV cache has a scale for each token.", eight_bit)
                             : "Use --backend cpu, whose fp16 keeps keys and values as f32."});
}

Expected<> check_cuda_codes_hold_kv(const Checkpoint& checkpoint, const Scheme& scheme) {
    constexpr double largest_code = 127.0;
    constexpr double value_unit = 256.0;
    return check_limits(checkpoint, scheme,
                        {HUGE_VAL, largest_half / value_unit * largest_code,
                         "this engine's prefill weighs values by halves, which takes them up to 32496",
                         "Use --backend cpu."});
}

} // namespace quantscope
