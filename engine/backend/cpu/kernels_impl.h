// SPDX-License-Identifier: Apache-2.0
// Only for kernels_<isa>.cpp: the inner loops, written once with vector types and built for each instruction
// set.
#pragma once

#include "engine/backend/cpu/attention_impl.h"
#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/vector_math.h"

#include <cfloat>

namespace quantscope::cpu {
namespace {

/// Asks for the weights that a product reads 2 KiB later: one token's products do nothing but wait for
/// weights. (An address past the end is no fault.)
template<std::int64_t Bytes>
QS_INLINE void prefetch(const std::uint8_t* weights) {
    for (std::int64_t line = 0; line < Bytes; line += 64) {
        __builtin_prefetch(weights + 2048 + line);
    }
}

template<int Rows, class Codes>
void dot_codes(const std::int8_t* x, std::int64_t stride, const std::int32_t* sums, const std::uint8_t* block,
               std::int64_t k, std::int32_t* out) {
    i32x16 acc[Rows][4] = {};
    for (std::int64_t group = 0; group < k / 4; ++group) {
        i8x64 w[4];
        Codes::load_group(block + group * Codes::group_bytes, w);
        prefetch<Codes::group_bytes>(block + group * Codes::group_bytes);
        for (int row = 0; row < Rows; ++row) {
            const auto x4 = load<std::int32_t>(x + row * stride + 4 * group);
            for (int j = 0; j < 4; ++j) {
                acc[row][j] = dot4(acc[row][j], w[j], x4);
            }
        }
    }
    for (int row = 0; row < Rows; ++row) {
        for (int j = 0; j < 4; ++j) {
            store(out + row * block_columns + 16 * j, acc[row][j] - Codes::bias * sums[row]);
        }
    }
}

template<class Codes>
void dot_integer(const Int8Rows& x, const void* block, std::int64_t k, std::int32_t* out) {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    int row = 0;
    const auto step = [&]<int Rows>() {
        dot_codes<Rows, Codes>(x.codes + row * x.stride, x.stride, x.sums + row, bytes, k,
                               out + static_cast<std::int64_t>(row) * block_columns);
        row += Rows;
    };
    while (x.rows - row >= 4) {
        step.template operator()<4>();
    }
    if (x.rows - row >= 2) {
        step.template operator()<2>();
    }
    if (x.rows - row >= 1) {
        step.template operator()<1>();
    }
}

template<int Rows, class Weights>
void dot_floats(const float* x, std::int64_t stride, const std::uint8_t* block, std::int64_t k, float* out) {
    Wide acc[Rows][4] = {};
    for (std::int64_t i = 0; i < k; ++i) {
        Wide w[4];
        prefetch<block_columns * Weights::bytes>(block + i * block_columns * Weights::bytes);
        for (int j = 0; j < 4; ++j) {
            w[j] = Weights::at(block + (i * block_columns + 16 * j) * Weights::bytes);
        }
        for (int row = 0; row < Rows; ++row) {
            const float value = x[row * stride + i];
            for (int j = 0; j < 4; ++j) {
                acc[row][j] = multiply_add(w[j], value, acc[row][j]);
            }
        }
    }
    for (int row = 0; row < Rows; ++row) {
        for (int j = 0; j < 4; ++j) {
            store(out + row * block_columns + 16 * j, acc[row][j]);
        }
    }
}

template<class Weights>
void dot_real(const FloatRows& x, const void* block, std::int64_t k, float* out) {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    int row = 0;
    const auto step = [&]<int Rows>() {
        dot_floats<Rows, Weights>(x.values + row * x.stride, x.stride, bytes, k,
                                  out + static_cast<std::int64_t>(row) * block_columns);
        row += Rows;
    };
    while (x.rows - row >= 6) {
        step.template operator()<6>();
    }
    while (x.rows - row >= 2) {
        step.template operator()<2>();
    }
    if (x.rows - row >= 1) {
        step.template operator()<1>();
    }
}

void unpack_int4(const void* block, std::int64_t count, std::int8_t* out) {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    for (std::int64_t done = 0; done < count; done += 256, bytes += 128) {
        for (int j = 0; j < 2; ++j) {
            const auto pairs = load<u8x64>(bytes + 64 * j);
            store(out + done + 64 * j, (i8x64)(pairs & 15) - 8);
            store(out + done + 64 * j + 128, (i8x64)((pairs >> 4) & 15) - 8);
        }
    }
}

template<class Weights>
void unpack_real(const void* block, std::int64_t count, float* out) {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    for (std::int64_t i = 0; i < count; i += 16) {
        store(out + i, Weights::at(bytes + i * Weights::bytes));
    }
}

float quantize_row(const float* x, std::int64_t count, int largest_code, float clip, std::int8_t* codes,
                   std::int32_t* sum) {
    // Magnitudes are in the order of their bits, NaN above all: it must not vanish in codes.
    i32x16 largest = {};
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const auto bits = (i32x16)absolute(load<f32x16>(x + i));
        largest = bits > largest ? bits : largest;
    }
    std::int32_t peak_bits = 0;
    for (int lane = 0; lane < 16; ++lane) {
        peak_bits = largest[lane] > peak_bits ? largest[lane] : peak_bits;
    }
    for (; i < count; ++i) {
        const std::int32_t bits = load<std::int32_t>(x + i) & 0x7fffffff;
        peak_bits = bits > peak_bits ? bits : peak_bits;
    }
    const auto q = static_cast<float>(largest_code);
    float scale = load<float>(&peak_bits) * clip / q;
    scale = scale < FLT_MIN ? 1.0F : scale; // NaN stays

    const f32x16 top = f32x16{} + q;
    const f32x16 bottom = f32x16{} - q;
    i32x16 sums = {};
    const auto quantize = [&](f32x16 v) {
        f32x16 code = round_even(v / scale);
        code = code >= bottom ? code : bottom; // false for NaN
        code = code <= top ? code : top;
        const i32x16 whole = __builtin_convertvector(code, i32x16);
        sums += whole;
        return __builtin_convertvector(whole, i8x16);
    };
    for (i = 0; i + 16 <= count; i += 16) {
        store(codes + i, quantize(load<f32x16>(x + i)));
    }
    if (i < count) {
        f32x16 tail = {};
        std::memcpy(&tail, x + i, static_cast<std::size_t>(count - i) * sizeof(float));
        const i8x16 last = quantize(tail);
        std::memcpy(codes + i, &last, static_cast<std::size_t>(count - i));
    }
    std::int32_t total = 0;
    for (int lane = 0; lane < 16; ++lane) {
        total += sums[lane];
    }
    *sum = total;
    return scale;
}

void rescale(const std::int32_t* acc, float row_scale, const float* column_scales, int count, float* y) {
    for (int n = 0; n < count; ++n) {
        y[n] = (row_scale * column_scales[n]) * static_cast<float>(acc[n]);
    }
}

/// 512 chains, chain j of the elements k with k / 4 % 512 == j in rising order; a tree over each 32 chains,
/// then one over the 16 sums (kernels/rows/row_math.cuh).
float sum_of_squares(const float* x, std::int64_t count) {
    constexpr std::int64_t chain_count = 512;
    alignas(64) float chains[chain_count] = {};
    std::int64_t k = 0;
    for (; k < count; k += 4 * chain_count) {
        const std::int64_t whole = smaller(chain_count, (count - k) / 4);
        for (std::int64_t j = 0; j < whole; ++j) {
            const float* const from = x + k + 4 * j;
            float sum = chains[j];
            for (int i = 0; i < 4; ++i) {
                sum = fused(from[i], from[i], sum);
            }
            chains[j] = sum;
        }
        for (std::int64_t i = k + 4 * whole; whole < chain_count && i < count; ++i) {
            chains[whole] = fused(x[i], x[i], chains[whole]);
        }
    }
    f32x16 sums = {};
    for (int group = 0; group < 16 && group * 128 < count; ++group) {
        sums[group] = sum_lanes(load<f32x16>(chains + 32 * group) + load<f32x16>(chains + 32 * group + 16));
    }
    return sum_lanes(sums);
}

void rms_norm(const float* x, const float* gamma, float eps, std::int64_t count, float* y) {
    const float inverse = 1.0F / __builtin_sqrtf(sum_of_squares(x, count) / static_cast<float>(count) + eps);
    if (gamma == nullptr) {
        for (std::int64_t i = 0; i < count; ++i) {
            y[i] = x[i] * inverse;
        }
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        y[i] = x[i] * inverse * gamma[i];
    }
}

QS_INLINE f32x16 silu_times(f32x16 gate, f32x16 up) {
    return gate / (1.0F + exponential(-gate)) * up;
}

void silu_multiply(float* gate, const float* up, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        store(gate + i, silu_times(load<f32x16>(gate + i), load<f32x16>(up + i)));
    }
    if (i < count) {
        const std::int64_t rest = count - i;
        const f32x16 y = silu_times(load_first(gate + i, rest, f32x16{}), load_first(up + i, rest, f32x16{}));
        std::memcpy(gate + i, &y, static_cast<std::size_t>(rest) * sizeof(float));
    }
}

void add(float* x, const float* y, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        x[i] += y[i];
    }
}

void rope(float* head, const float* cosines, const float* sines, int head_dim) {
    const int half = head_dim / 2;
    for (int i = 0; i < half; ++i) {
        const float a = head[i];
        const float b = head[i + half];
        head[i] = fused(a, cosines[i], -(b * sines[i]));
        head[i + half] = fused(b, cosines[i], a * sines[i]);
    }
}

void hadamard(float* x, std::int64_t count, int block) {
    const float norm = 1.0F / __builtin_sqrtf(static_cast<float>(block));
    for (std::int64_t start = 0; start + block <= count; start += block) {
        float* const v = x + start;
        for (int half = 1; half < block; half *= 2) {
            for (int i = 0; i < block; i += 2 * half) {
                for (int j = i; j < i + half; ++j) {
                    const float a = v[j];
                    const float b = v[j + half];
                    v[j] = a + b;
                    v[j + half] = a - b;
                }
            }
        }
        for (int i = 0; i < block; ++i) {
            v[i] *= norm;
        }
    }
}

void to_f16(const float* x, std::int64_t count, std::uint16_t* halves) {
    for (std::int64_t i = 0; i < count; ++i) {
        halves[i] = float_to_half(x[i]);
    }
}

constexpr Kernels make_kernels(const char* name) {
    return {.name = name,
            .dot_int8 = dot_integer<Int8Codes>,
            .dot_int4 = dot_integer<Int4Codes>,
            .dot_f32 = dot_real<LoadF32>,
            .dot_f16 = dot_real<LoadF16>,
            .dot_bf16 = dot_real<LoadBf16>,
            .unpack_int4 = unpack_int4,
            .unpack_f16 = unpack_real<LoadF16>,
            .unpack_bf16 = unpack_real<LoadBf16>,
            .quantize_row = quantize_row,
            .rescale = rescale,
            .rms_norm = rms_norm,
            .silu_multiply = silu_multiply,
            .add = add,
            .rope = rope,
            .hadamard = hadamard,
            .to_f16 = to_f16,
            .attend_f32 = attend<LoadF32>,
            .attend_f16 = attend<LoadF16>,
            .attend_int8 = attend<LoadInt8>};
}

} // namespace
} // namespace quantscope::cpu
