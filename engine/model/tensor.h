// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quantscope {

enum class DType { f32, f16, bf16 };

const char* to_string(DType dtype); ///< "F32", "F16", "BF16", as safetensors writes them
int byte_size(DType dtype);         ///< bytes of one element

/// A tensor in a memory-mapped file; valid while its Checkpoint lives.
struct TensorView {
    std::string name;
    DType dtype = DType::f32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> data; ///< row-major, exactly product(shape) elements; may be unaligned
    std::string file;                ///< path of the file it is in, for messages

    std::int64_t element_count() const;
};

/// Converts elements [offset, offset + out.size()) to f32; exact for every dtype.
/// That range must lie inside the tensor.
void to_f32(const TensorView& tensor, std::int64_t offset, std::span<float> out);

/// Errors: bad_input when an element is NaN or infinite, naming file, tensor and index of the first one.
/// Reads the whole tensor once.
Expected<> check_finite(const TensorView& tensor);

/// Whether two tensors hold the same numbers, whatever their dtypes. Reads both as far as they agree.
bool same_values(const TensorView& a, const TensorView& b);

/// IEEE binary16 to binary32, exact; a NaN keeps its sign and payload.
float f16_to_f32(std::uint16_t bits);
/// bfloat16 is the upper half of a binary32.
float bf16_to_f32(std::uint16_t bits);

} // namespace quantscope
