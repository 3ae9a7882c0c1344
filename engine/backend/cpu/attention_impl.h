// SPDX-License-Identifier: Apache-2.0
// Only for kernels_<isa>.cpp: attention of one token, in splits of split_keys keys, with the CUDA kernels'
// order of operations (kernels/attention/split_attention.cuh), bit for bit on every instruction set:
//   score   8 chains, chain p takes the dimensions d with d / 8 % 8 == p in rising order; a tree by 4, 2, 1
//   weight  e[l] + e[l + 32], then a tree by 16, 8, 4, 2, 1
//   value   8 chains a dimension, chain c takes the keys with key % 8 == c in rising order; a tree by 4, 2, 1
//   join    split by split: sum = part * e^(peak - largest peak) + sum
// Codes: a score is (query . codes) * key scale * scale, a value's weight e * value scale.
#pragma once

#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/vector_math.h"

#include <cfloat>

namespace quantscope::cpu {
namespace {

/// scores[t] = scale * query . key[t] for Blocks * key_block keys.
template<class Stored, int Blocks>
void score_keys(const float* query, const std::uint8_t* keys, int head_dim, float scale, float* scores) {
    Wide sums[4][Blocks]; // chains p and p + 4
    for (int p = 0; p < 4; ++p) {
        Wide acc[2][Blocks] = {};
        for (int upper = 0; upper < 2; ++upper) {
            for (int first = 8 * (p + 4 * upper); first < head_dim; first += 64) {
                for (int d = first; d < smaller(first + 8, head_dim); ++d) {
                    for (int b = 0; b < Blocks; ++b) {
                        const auto* const from =
                            keys + (std::int64_t{b} * head_dim + d) * key_block * Stored::bytes;
                        acc[upper][b] = fused(Stored::at(from), query[d], acc[upper][b]);
                    }
                }
            }
        }
        for (int b = 0; b < Blocks; ++b) {
            sums[p][b] = acc[0][b] + acc[1][b];
        }
    }
    for (int b = 0; b < Blocks; ++b) {
        store(scores + b * key_block, ((sums[0][b] + sums[2][b]) + (sums[1][b] + sums[3][b])) * scale);
    }
}

template<class Stored>
void score_split(const float* query, const std::uint8_t* keys, int count, int head_dim, float scale,
                 float* scores) {
    static_assert(split_keys == 4 * key_block);
    switch ((count + key_block - 1) / key_block) {
    case 1: return score_keys<Stored, 1>(query, keys, head_dim, scale, scores);
    case 2: return score_keys<Stored, 2>(query, keys, head_dim, scale, scores);
    case 3: return score_keys<Stored, 3>(query, keys, head_dim, scale, scores);
    default: return score_keys<Stored, 4>(query, keys, head_dim, scale, scores);
    }
}

struct SplitWeight {
    float peak;   ///< the largest score
    float weight; ///< the sum of the exponentials
};

/// Turns scores[0, count) into e^(score - peak), those up to split_keys into 0.
SplitWeight exponentiate(float* scores, int count) {
    const auto lanes = [&](int block) {
        const int rest = smaller(count - block * key_block, key_block);
        return rest > 0 ? rest : 0;
    };
    const f32x16 none = f32x16{} - FLT_MAX;
    f32x16 peaks = none;
    f32x16 v[4];
    for (int b = 0; b < 4; ++b) {
        v[b] = lanes(b) == key_block ? load<f32x16>(scores + b * key_block)
                                     : load_first(scores + b * key_block, lanes(b), none);
        peaks = maximum(v[b], peaks);
    }
    const float peak = max_lanes(peaks);
    for (int b = 0; b < 4; ++b) {
        if (lanes(b) == 0) {
            v[b] = f32x16{};
        } else {
            v[b] = exponential(v[b] - peak);
            if (lanes(b) < key_block) {
                const f32x16 e = v[b];
                v[b] = load_first(&e, lanes(b), f32x16{});
            }
        }
        store(scores + b * key_block, v[b]);
    }
    return {peak, sum_lanes((v[0] + v[2]) + (v[1] + v[3]))};
}

/// out = sum of e[t] * values[t], for Lanes * 16 dimensions; `stride` bytes from value to value.
template<class Stored, int Lanes>
void mix_values(const float* e, const std::uint8_t* values, std::int64_t stride, int count, float* out) {
    Wide sums[4][Lanes]; // chains c and c + 4
    for (int c = 0; c < 4; ++c) {
        Wide acc[2][Lanes] = {};
        for (int upper = 0; upper < 2; ++upper) {
            for (int t = c + 4 * upper; t < count; t += 8) {
                for (int j = 0; j < Lanes; ++j) {
                    acc[upper][j] =
                        fused(Stored::at(values + t * stride + 16 * j * Stored::bytes), e[t], acc[upper][j]);
                }
            }
        }
        for (int j = 0; j < Lanes; ++j) {
            sums[c][j] = acc[0][j] + acc[1][j];
        }
    }
    for (int j = 0; j < Lanes; ++j) {
        store(out + 16 * j, (sums[0][j] + sums[2][j]) + (sums[1][j] + sums[3][j]));
    }
}

template<class Stored>
void mix_split(const float* e, const std::uint8_t* values, int count, int head_dim, float* out) {
    const std::int64_t stride = std::int64_t{head_dim} * Stored::bytes;
    int i = 0;
    for (; i + 64 <= head_dim; i += 64) {
        mix_values<Stored, 4>(e, values + i * Stored::bytes, stride, count, out + i);
    }
    for (; i + 16 <= head_dim; i += 16) {
        mix_values<Stored, 1>(e, values + i * Stored::bytes, stride, count, out + i);
    }
    if (i < head_dim) { // few small models
        const auto rest = static_cast<std::size_t>(head_dim - i);
        std::uint8_t padded[split_keys * 16 * Stored::bytes] = {};
        for (int t = 0; t < count; ++t) {
            std::memcpy(padded + std::ptrdiff_t{t} * 16 * Stored::bytes,
                        values + t * stride + i * Stored::bytes, rest * Stored::bytes);
        }
        float sums[16];
        mix_values<Stored, 1>(e, padded, std::int64_t{16} * Stored::bytes, count, sums);
        std::memcpy(out + i, sums, rest * sizeof(float));
    }
}

/// out = inverse-weighted sum of the parts [splits][head_dim + 2]: sums, peak, weight.
void join_splits(const float* parts, std::int64_t splits, int head_dim, float* out) {
    const std::int64_t size = head_dim + 2;
    float peak = -FLT_MAX;
    for (std::int64_t s = 0; s < splits; ++s) {
        peak = parts[s * size + head_dim] > peak ? parts[s * size + head_dim] : peak;
    }
    for (int i = 0; i < head_dim; ++i) {
        out[i] = 0.0F;
    }
    float weight = 0.0F;
    for (std::int64_t s = 0; s < splits; ++s) {
        const float* const part = parts + s * size;
        const float rescale = exponential(f32x16{} + (part[head_dim] - peak))[0];
        weight = fused(part[head_dim + 1], rescale, weight);
        int i = 0;
        for (; i + 16 <= head_dim; i += 16) {
            store(out + i, fused(load<Wide>(part + i), rescale, load<Wide>(out + i)));
        }
        for (; i < head_dim; ++i) {
            out[i] = fused(part[i], rescale, out[i]);
        }
    }
    for (int i = 0; i < head_dim; ++i) {
        out[i] /= weight;
    }
}

template<class Stored>
void attend(const float* query, const CachedHead& head, std::int64_t count, int head_dim, float scale,
            float* scratch, float* out) {
    constexpr bool codes = Stored::bytes == 1;
    const std::int64_t split_bytes = std::int64_t{split_keys} * head_dim * Stored::bytes;
    const std::int64_t splits = (count + split_keys - 1) / split_keys;
    for (std::int64_t s = 0; s < splits; ++s) {
        const int in_split = static_cast<int>(smaller<std::int64_t>(split_keys, count - s * split_keys));
        float* const part = scratch + s * (head_dim + 2);
        alignas(64) float scores[split_keys];
        score_split<Stored>(query, static_cast<const std::uint8_t*>(head.keys) + s * split_bytes, in_split,
                            head_dim, codes ? 1.0F : scale, scores);
        if constexpr (codes) {
            for (int t = 0; t < in_split; ++t) {
                scores[t] = scores[t] * head.key_scales[s * split_keys + t] * scale;
            }
        }
        const SplitWeight weight = exponentiate(scores, in_split);
        if constexpr (codes) {
            for (int t = 0; t < in_split; ++t) {
                scores[t] *= head.value_scales[s * split_keys + t];
            }
        }
        mix_split<Stored>(scores, static_cast<const std::uint8_t*>(head.values) + s * split_bytes, in_split,
                          head_dim, part);
        part[head_dim] = weight.peak;
        part[head_dim + 1] = weight.weight;
    }
    join_splits(scratch, splits, head_dim, out);
}

} // namespace
} // namespace quantscope::cpu
