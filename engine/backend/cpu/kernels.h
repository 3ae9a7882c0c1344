// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace quantscope::cpu {

/// Outputs of a linear are stored and computed in blocks of this many columns (see packed_weights.h).
inline constexpr int block_columns = 64;

/// Keys of the KV cache are held in blocks of this many tokens, [tokens / 16][head_dim][16], so that scores
/// need no sum across a vector.
inline constexpr int key_block = 16;

/// Attention takes so many keys at a time and joins what comes of them in order, as the CUDA kernels do.
inline constexpr int split_keys = 64;
/// One kv head of a slot's cache.
struct CachedHead {
    const void* keys;          ///< [tokens / 16][head_dim][16]
    const void* values;        ///< [tokens][head_dim]
    const float* key_scales;   ///< [tokens], codes only
    const float* value_scales; ///< likewise
};
/// Floats that attend_*() needs as scratch for `keys` keys.
constexpr std::int64_t attend_scratch(std::int64_t keys, int head_dim) {
    return (keys + split_keys - 1) / split_keys * (head_dim + 2);
}

/// Integer activations: `rows` quantized vectors.
struct Int8Rows {
    const std::int8_t* codes; ///< [rows][stride]; zero from the true length up to the padded one
    std::int64_t stride;      ///< bytes between rows
    const std::int32_t* sums; ///< [rows], sum of each row's codes
    int rows;
};

/// Real activations.
struct FloatRows {
    const float* values; ///< [rows][stride]
    std::int64_t stride; ///< floats between rows
    int rows;
};

/// Inner loops for one instruction set. Every function's result for a row is a function of that row and the
/// weights alone: one chain per output in order of k for floats, exact int32 for integers. So results do not
/// depend on how many rows are computed together (batch invariance). All but dot_f32, dot_f16 and dot_bf16
/// (fused where the processor does that) give the same bits on every instruction set, and rms_norm,
/// silu_multiply, rope and attend those of the CUDA kernels: kernels/check/canonical.h has them as plain
/// loops.
struct Kernels {
    const char* name; ///< "avx512-vnni", "avx2", "portable"

    // out [rows][block_columns] for one block of columns; k is the padded input length.
    void (*dot_int8)(const Int8Rows& x, const void* block, std::int64_t k, std::int32_t* out);
    void (*dot_int4)(const Int8Rows& x, const void* block, std::int64_t k, std::int32_t* out);
    void (*dot_f32)(const FloatRows& x, const void* block, std::int64_t k, float* out);
    void (*dot_f16)(const FloatRows& x, const void* block, std::int64_t k, float* out);
    void (*dot_bf16)(const FloatRows& x, const void* block, std::int64_t k, float* out);

    // Panels for oneDNN: `count` elements of a block, in the block's own order.
    void (*unpack_int4)(const void* block, std::int64_t count, std::int8_t* out); ///< count % 256 == 0
    void (*unpack_f16)(const void* block, std::int64_t count, float* out);        ///< count % 16 == 0
    void (*unpack_bf16)(const void* block, std::int64_t count, float* out);       ///< count % 16 == 0

    /// engine/schemes/quantize.h for one row; also the sum of the codes. Returns the scale.
    float (*quantize_row)(const float* x, std::int64_t count, int largest_code, float clip,
                          std::int8_t* codes, std::int32_t* sum);
    /// y[n] = (row_scale * column_scales[n]) * acc[n]
    void (*rescale)(const std::int32_t* acc, float row_scale, const float* column_scales, int count,
                    float* y);

    /// y = x / sqrt(mean(x^2) + eps) * gamma; gamma may be null (folded away)
    void (*rms_norm)(const float* x, const float* gamma, float eps, std::int64_t count, float* y);
    /// gate[i] = silu(gate[i]) * up[i]
    void (*silu_multiply)(float* gate, const float* up, std::int64_t count);
    void (*add)(float* x, const float* y, std::int64_t count); ///< x += y
    /// HF half rotation: pairs (i, i + head_dim / 2); cosines and sines [head_dim / 2]
    void (*rope)(float* head, const float* cosines, const float* sines, int head_dim);
    /// Block Hadamard, as hadamard_transform() in engine/schemes/hadamard.h.
    void (*hadamard)(float* x, std::int64_t count, int block);
    void (*to_f16)(const float* x, std::int64_t count, std::uint16_t* halves); ///< half to even
    /// One query head over the first `count` tokens of a head of f32, of halves, or of int8 codes and scales.
    /// Keys of the last block beyond `count` are read, not used.
    using Attend = void (*)(const float* query, const CachedHead& head, std::int64_t count, int head_dim,
                            float scale, float* scratch, float* out);
    Attend attend_f32;
    Attend attend_f16;
    Attend attend_int8;
};

/// The best set this processor runs; QUANTSCOPE_CPU_ISA=portable|avx2|avx512-vnni asks for a lesser one.
const Kernels& kernels();

/// A set by name, or nullptr where this processor or build lacks it. For tests.
const Kernels* kernels_named(const char* name);

} // namespace quantscope::cpu
