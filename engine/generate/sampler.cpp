// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantscope {
namespace {

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that mixes all of them.
std::uint64_t mix(std::uint64_t z) {
    z += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
}

} // namespace

double uniform(const RandomKey& key, std::uint64_t counter) {
    const std::uint64_t bits = mix(mix(mix(mix(key.seed) ^ key.problem) ^ key.sample) ^ counter);
    return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

std::int32_t argmax(std::span<const float> logits) {
    std::int32_t best = 0;
    float best_value = -INFINITY;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (logits[i] > best_value) {
            best_value = logits[i];
            best = static_cast<std::int32_t>(i);
        }
    }
    return best;
}

std::int32_t Sampler::choose(std::span<const float> logits, const Sampling& sampling, const RandomKey& key,
                             std::uint64_t position) {
    const std::int32_t best = argmax(logits);
    if (sampling.temperature <= 0.0) {
        return best;
    }
    const double top = logits[static_cast<std::size_t>(best)];
    // exp(-40) of the best token's weight cannot be drawn in practice; leaving such tokens out keeps the sort
    // short.
    const double floor = top - 40.0 * sampling.temperature;
    order_.clear();
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (logits[i] >= floor) {
            order_.push_back(static_cast<std::int32_t>(i));
        }
    }
    if (order_.empty()) {
        return best;
    }
    const auto logit = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
    std::sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) {
        return logit(a) != logit(b) ? logit(a) > logit(b) : a < b;
    });
    weights_.clear();
    for (const std::int32_t id : order_) {
        weights_.push_back(std::exp((logit(id) - top) / sampling.temperature));
    }
    const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
    std::size_t kept = 0;
    double mass = 0.0;
    while (kept < weights_.size() && (kept == 0 || mass < sampling.top_p * total)) {
        mass += weights_[kept++];
    }
    double draw = uniform(key, position) * mass;
    for (std::size_t i = 0; i < kept; ++i) {
        draw -= weights_[i];
        if (draw < 0.0) {
            return order_[i];
        }
    }
    return order_[kept - 1];
}

} // namespace quantscope
