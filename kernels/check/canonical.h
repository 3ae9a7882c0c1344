// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

/// The order of every float operation that both engines take, as plain loops: what the CUDA kernels and the
/// CPU engine's instruction sets are held against bit for bit. Pure C++, to be built with -ffp-contract=off.
namespace quantscope::canonical {

/// a[0] + ... by halving: a[i] + a[i + n / 2], and so on. n: a power of two.
template<std::size_t n>
float tree_sum(std::array<float, n> a) {
    for (std::size_t offset = n / 2; offset > 0; offset /= 2) {
        for (std::size_t i = 0; i < offset; ++i) {
            a[i] += a[i + offset];
        }
    }
    return a[0];
}

/// e^v: v = n ln 2 + r, a polynomial in r.
inline float exponential(float v) {
    v = std::min(std::max(v, -87.0F), 88.0F);
    const float magic = 12582912.0F; // 1.5 * 2^23
    const float n = std::fma(v, 1.44269504F, magic) - magic;
    const float r = std::fma(n, 2.12194440e-4F, std::fma(n, -0.693359375F, v));
    float p = std::fma(r, 1.0F / 5040.0F, 1.0F / 720.0F);
    for (const float c : {1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F, 0.5F, 1.0F, 1.0F}) {
        p = std::fma(p, r, c);
    }
    return std::ldexp(p, static_cast<int>(n)); // exact: the result is a normal number
}

inline float silu_times(float gate, float up) {
    return gate / (1.0F + exponential(-gate)) * up;
}

/// 1 / sqrt(mean(x^2) + eps): 512 chains, chain j of the elements k with k / 4 % 512 == j.
inline float inverse_rms(const float* x, int count, float eps) {
    std::array<std::array<float, 32>, 16> chains{};
    for (int k = 0; k < count; ++k) {
        float& chain =
            chains[static_cast<std::size_t>(k / 4 % 512 / 32)][static_cast<std::size_t>(k / 4 % 32)];
        chain = std::fma(x[k], x[k], chain);
    }
    std::array<float, 16> sums{};
    std::transform(chains.begin(), chains.end(), sums.begin(),
                   [](const auto& group) { return tree_sum(group); });
    return 1.0F / std::sqrt(tree_sum(sums) / static_cast<float>(count) + eps);
}

/// Pairs (i, i + head_dim / 2) of one head.
inline void rotate(float* head, const float* cosines, const float* sines, int head_dim) {
    const int half = head_dim / 2;
    for (int i = 0; i < half; ++i) {
        const float a = head[i];
        const float b = head[i + half];
        head[i] = std::fma(a, cosines[i], -(b * sines[i]));
        head[i + half] = std::fma(b, cosines[i], a * sines[i]);
    }
}

/// One token's query head over `count` keys; key(t, d) and value(t, d) are the cache's numbers as floats.
/// Where they are codes, `key_scales` and `value_scales` [count] are those of the tokens.
template<class Key, class Value>
void attend(const float* query, const Key& key, const Value& value, int count, int head_dim, float scale,
            float* out, const float* key_scales = nullptr, const float* value_scales = nullptr) {
    struct Split {
        std::array<float, 64> e{}; ///< scores, then exponentials; 0 for keys that are not there
        float peak = -INFINITY;
        float weight = 0.0F;
        std::vector<float> sums;
    };
    std::vector<Split> splits(static_cast<std::size_t>((count + 63) / 64));
    for (std::size_t s = 0; s < splits.size(); ++s) {
        Split& split = splits[s];
        const int first = static_cast<int>(s) * 64;
        const auto keys = static_cast<std::size_t>(std::min(64, count - first));
        for (std::size_t t = 0; t < keys; ++t) {
            std::array<float, 8> chains{};
            for (int d = 0; d < head_dim; ++d) {
                float& chain = chains[static_cast<std::size_t>(d / 8 % 8)];
                chain = std::fma(query[d], key(first + static_cast<int>(t), d), chain);
            }
            const float sum = tree_sum(chains);
            split.e[t] =
                (key_scales != nullptr ? sum * key_scales[first + static_cast<int>(t)] : sum) * scale;
            split.peak = std::max(split.peak, split.e[t]);
        }
        for (std::size_t t = 0; t < keys; ++t) {
            split.e[t] = exponential(split.e[t] - split.peak);
        }
        split.weight = tree_sum(split.e);
        for (std::size_t t = 0; t < keys && value_scales != nullptr; ++t) {
            split.e[t] *= value_scales[first + static_cast<int>(t)];
        }
        for (int d = 0; d < head_dim; ++d) {
            std::array<float, 8> chains{};
            for (std::size_t t = 0; t < keys; ++t) {
                chains[t % 8] = std::fma(split.e[t], value(first + static_cast<int>(t), d), chains[t % 8]);
            }
            split.sums.push_back(tree_sum(chains));
        }
    }
    float peak = -INFINITY;
    for (const Split& split : splits) {
        peak = std::max(peak, split.peak);
    }
    for (int d = 0; d < head_dim; ++d) {
        float sum = 0.0F;
        float weight = 0.0F;
        for (const Split& split : splits) {
            const float rescale = exponential(split.peak - peak);
            sum = std::fma(split.sums[static_cast<std::size_t>(d)], rescale, sum);
            weight = std::fma(split.weight, rescale, weight);
        }
        out[d] = sum / weight;
    }
}

} // namespace quantscope::canonical
