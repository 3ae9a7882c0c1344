// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quantscope::cpu {
namespace {

/// Llama 3: long wavelengths are stretched by `factor`, short ones kept, those between blended linearly in
/// the number of turns that the original context holds.
float stretch_llama3(float frequency, const RopeScaling& scaling) {
    const auto factor = static_cast<float>(scaling.factor);
    const auto low = static_cast<float>(scaling.low_freq_factor);
    const auto high = static_cast<float>(scaling.high_freq_factor);
    const float turns = static_cast<float>(scaling.original_max_position_embeddings) * frequency /
                        (2.0F * std::numbers::pi_v<float>);
    if (turns < low) {
        return frequency / factor;
    }
    if (turns > high) {
        return frequency;
    }
    const float kept = (turns - low) / (high - low);
    return (1.0F - kept) * frequency / factor + kept * frequency;
}

/// YaRN (arXiv 2309.00071, section 3.2): the pair of dimensions that turns `turns` times within the original
/// context.
double dimension_of(double turns, const ModelConfig& config) {
    const double positions = config.rope_scaling.original_max_position_embeddings;
    return config.head_dim * std::log(positions / (turns * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(config.rope_theta));
}

/// Pairs that turn often are kept, those that turn seldom stretched, those between blended linearly.
float stretch_yarn(float frequency, int pair, const ModelConfig& config) {
    const RopeScaling& scaling = config.rope_scaling;
    double low = dimension_of(scaling.beta_fast, config);
    double high = dimension_of(scaling.beta_slow, config);
    if (scaling.truncate) {
        low = std::floor(low);
        high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, config.head_dim - 1.0);
    const double width = high == low ? 0.001 : high - low;
    const auto stretched = static_cast<float>(std::clamp((pair - low) / width, 0.0, 1.0));
    return frequency / static_cast<float>(scaling.factor) * stretched + frequency * (1.0F - stretched);
}

float frequency_of(int pair, const ModelConfig& config) {
    const float exponent = static_cast<float>(2 * pair) / static_cast<float>(config.head_dim);
    const float frequency = 1.0F / std::pow(static_cast<float>(config.rope_theta), exponent);
    switch (config.rope_scaling.kind) {
    case RopeScaling::Kind::linear: return frequency / static_cast<float>(config.rope_scaling.factor);
    case RopeScaling::Kind::llama3: return stretch_llama3(frequency, config.rope_scaling);
    case RopeScaling::Kind::yarn: return stretch_yarn(frequency, pair, config);
    case RopeScaling::Kind::none: break;
    }
    return frequency;
}

} // namespace

RopeTable::RopeTable(const ModelConfig& config, int context_length)
    : half_(static_cast<std::size_t>(config.head_dim / 2)) {
    std::vector<float> frequencies;
    frequencies.reserve(half_);
    for (int pair = 0; pair < config.head_dim / 2; ++pair) {
        frequencies.push_back(frequency_of(pair, config));
    }
    const auto magnitude = static_cast<float>(config.rope_scaling.attention_factor);
    cosines_.reserve(half_ * static_cast<std::size_t>(context_length));
    sines_.reserve(half_ * static_cast<std::size_t>(context_length));
    for (int position = 0; position < context_length; ++position) {
        for (const float frequency : frequencies) {
            const float angle = static_cast<float>(position) * frequency;
            cosines_.push_back(std::cos(angle) * magnitude);
            sines_.push_back(std::sin(angle) * magnitude);
        }
    }
}

} // namespace quantscope::cpu
