// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace quantscope {

/// How one kind of number is stored and multiplied.
enum class Precision { fp16, int8, int4 };

/// How a linear's weights are rounded to their grid.
enum class WeightRounding { none, nearest };

/// Which orthogonal transform precedes quantization.
enum class Rotation {
    none,
    hadamard, ///< QuaRot (arXiv 2404.00456): residual stream and V/O offline, down_proj input online
};

/// A row of the scheme table: everything a backend needs to know, as data.
struct Scheme {
    std::string_view id;      ///< "w4a4-rot"; the only name that is stored
    std::string_view label;   ///< "W4A4 rotated"; for people
    std::string_view summary; ///< one line for the scheme picker
    Precision weights = Precision::fp16;
    Precision activations = Precision::fp16;
    Precision kv_cache = Precision::fp16;
    WeightRounding rounding = WeightRounding::none;
    Rotation rotation = Rotation::none;
    float activation_clip = 1.0F; ///< c in s_x = max|x| * c / q
};

/// All schemes, in the order in which they are shown.
std::span<const Scheme> all_schemes();

/// The row with this id, or nullptr.
const Scheme* find_scheme(std::string_view id);

} // namespace quantscope
