// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/schemes/scheme.h"

#include <cstdint>
#include <span>

/// Symmetric quantization, the same on every backend (design, section 3; these functions are the reference
/// that every kernel is tested against):
///   s = max|v| * clip / q,  q = 127 or 7;  code = clamp(round_half_even(v / s), -q, q).
namespace quantscope {

/// Largest code of the grid: 127 for int8, 7 for int4. fp16 has no grid and returns 0.
constexpr int largest_code(Precision precision) {
    return precision == Precision::int8 ? 127 : precision == Precision::int4 ? 7 : 0;
}

/// s for a vector. An all-zero (or vanishing) vector has s = 1, so that nothing divides by zero; one with a
/// NaN has s = NaN, so that its codes do not hide it.
float quantization_scale(std::span<const float> values, int largest_code, float clip);

/// One code. v / scale is an IEEE single division. NaN becomes -largest_code.
std::int8_t quantize_value(float value, float scale, int largest_code);

/// Codes of a vector, [values.size()], and its scale.
float quantize_vector(std::span<const float> values, int largest_code, float clip,
                      std::span<std::int8_t> codes);

/// Two codes (-7..7, low nibble first) in a byte, each stored as code + 8.
constexpr std::uint8_t pack_int4(std::int8_t low, std::int8_t high) {
    return static_cast<std::uint8_t>((low + 8) | ((high + 8) << 4));
}
constexpr std::int8_t unpack_int4_low(std::uint8_t pair) {
    return static_cast<std::int8_t>((pair & 15) - 8);
}
constexpr std::int8_t unpack_int4_high(std::uint8_t pair) {
    return static_cast<std::int8_t>((pair >> 4) - 8);
}

} // namespace quantscope
