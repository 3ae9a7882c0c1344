// SPDX-License-Identifier: Apache-2.0
#include "engine/schemes/quantize.h"

#include <cfloat>
#include <cmath>

namespace quantscope {

float quantization_scale(std::span<const float> values, int largest_code, float clip) {
    float largest = 0.0F;
    for (const float value : values) {
        const float magnitude = std::fabs(value);
        largest = magnitude > largest || std::isnan(magnitude) ? magnitude : largest;
    }
    const float scale = largest * clip / static_cast<float>(largest_code);
    return scale < FLT_MIN ? 1.0F : scale; // NaN stays
}

std::int8_t quantize_value(float value, float scale, int largest_code) {
    const auto q = static_cast<float>(largest_code);
    float code = std::nearbyint(value / scale); // the default rounding mode is half to even
    code = code >= -q ? code : -q;              // false for NaN
    code = code <= q ? code : q;
    return static_cast<std::int8_t>(code);
}

float quantize_vector(std::span<const float> values, int largest_code, float clip,
                      std::span<std::int8_t> codes) {
    const float scale = quantization_scale(values, largest_code, clip);
    for (std::size_t i = 0; i < values.size(); ++i) {
        codes[i] = quantize_value(values[i], scale, largest_code);
    }
    return scale;
}

} // namespace quantscope
