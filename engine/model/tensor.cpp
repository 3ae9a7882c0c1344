// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope {

namespace {

/// Safetensors promises no alignment of the data in the file, hence memcpy.
template<class T>
T load(const std::byte* data, std::size_t index) {
    T value;
    std::memcpy(&value, data + index * sizeof(T), sizeof(T));
    return value;
}

/// True where an element's exponent bits are all ones: NaN or infinity.
template<class T, T exponent_mask>
bool any_not_finite(const std::byte* data, std::size_t count) {
    T found = 0;
    for (std::size_t i = 0; i < count; ++i) {
        found |= static_cast<T>((load<T>(data, i) & exponent_mask) == exponent_mask);
    }
    return found != 0;
}

bool any_not_finite(DType dtype, const std::byte* data, std::size_t count) {
    switch (dtype) {
    case DType::f32: return any_not_finite<std::uint32_t, 0x7F800000U>(data, count);
    case DType::f16: return any_not_finite<std::uint16_t, 0x7C00U>(data, count);
    case DType::bf16: return any_not_finite<std::uint16_t, 0x7F80U>(data, count);
    }
    return true;
}

/// "[3, 17]" for a flat index.
std::string index_text(const TensorView& tensor, std::int64_t flat) {
    std::vector<std::int64_t> index(tensor.shape.size());
    for (std::size_t axis = index.size(); axis-- > 0;) {
        index[axis] = flat % tensor.shape[axis];
        flat /= tensor.shape[axis];
    }
    return fmt::format("[{}]", fmt::join(index, ", "));
}

} // namespace

const char* to_string(DType dtype) {
    switch (dtype) {
    case DType::f32: return "F32";
    case DType::f16: return "F16";
    case DType::bf16: return "BF16";
    }
    return "?";
}

int byte_size(DType dtype) {
    return dtype == DType::f32 ? 4 : 2;
}

std::int64_t TensorView::element_count() const {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) {
        count *= size;
    }
    return count;
}

float f16_to_f32(std::uint16_t bits) {
    const std::uint32_t sign = (bits & 0x8000U) << 16;
    const std::uint32_t magnitude = (bits & 0x7FFFU) << 13; // exponent and mantissa where f32 has them
    const std::uint32_t exponent = bits & 0x7C00U;
    const std::uint32_t normal = magnitude + (112U << 23);  // bias 15 -> 127
    const std::uint32_t special = magnitude + (224U << 23); // exponent 31 -> 255
    // A subnormal m * 2^-24 is (2^-14 + m * 2^-24) - 2^-14; the sum's bits are `magnitude` with exponent
    // 2^-14.
    const float subnormal = std::bit_cast<float>(magnitude + (113U << 23)) - 0x1p-14F;
    std::uint32_t result = normal;
    result = exponent == 0 ? std::bit_cast<std::uint32_t>(subnormal) : result;
    result = exponent == 0x7C00U ? special : result;
    return std::bit_cast<float>(result | sign);
}

float bf16_to_f32(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

void to_f32(const TensorView& tensor, std::int64_t offset, std::span<float> out) {
    const std::byte* data = tensor.data.data() + offset * byte_size(tensor.dtype);
    switch (tensor.dtype) {
    case DType::f32:
        if (!out.empty()) {
            std::memcpy(out.data(), data, out.size_bytes());
        }
        break;
    case DType::f16:
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = f16_to_f32(load<std::uint16_t>(data, i));
        }
        break;
    case DType::bf16:
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = bf16_to_f32(load<std::uint16_t>(data, i));
        }
        break;
    }
}

bool same_values(const TensorView& a, const TensorView& b) {
    if (a.shape != b.shape) {
        return false;
    }
    if (a.dtype == b.dtype) {
        return std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end());
    }
    constexpr std::int64_t block = 4096;
    std::vector<float> left(block);
    std::vector<float> right(block);
    const std::int64_t count = a.element_count();
    for (std::int64_t begin = 0; begin < count; begin += block) {
        const auto size = static_cast<std::size_t>(std::min(block, count - begin));
        to_f32(a, begin, std::span(left).first(size));
        to_f32(b, begin, std::span(right).first(size));
        if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size), right.begin())) {
            return false;
        }
    }
    return true;
}

Expected<> check_finite(const TensorView& tensor) {
    constexpr std::int64_t block = 4096;
    const std::int64_t count = tensor.element_count();
    for (std::int64_t begin = 0; begin < count; begin += block) {
        const std::int64_t size = std::min(block, count - begin);
        const std::byte* data = tensor.data.data() + begin * byte_size(tensor.dtype);
        if (!any_not_finite(tensor.dtype, data, static_cast<std::size_t>(size))) {
            continue;
        }
        for (std::int64_t i = begin; i < begin + size; ++i) {
            float value = 0.0F;
            to_f32(tensor, i, {&value, 1});
            if (!std::isfinite(value)) {
                return make_error(
                    ErrorCode::bad_input,
                    fmt::format("{}: tensor '{}' has {} at index {}; expected finite weights.", tensor.file,
                                tensor.name, std::isnan(value) ? "NaN" : "an infinity",
                                index_text(tensor, i)),
                    "The checkpoint is damaged or its training diverged: download or export it again.");
            }
        }
    }
    return {};
}

} // namespace quantscope
