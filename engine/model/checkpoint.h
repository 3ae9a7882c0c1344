// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/config.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope {

enum class DType { f32, f16, bf16 };

/// A tensor in a memory-mapped file; valid while its Checkpoint lives.
struct TensorView {
    std::string name;
    DType dtype = DType::f32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> data; ///< row-major, exactly product(shape) elements

    std::int64_t element_count() const;
};

/// Converts `count` elements from `offset` on to f32.
void to_f32(const TensorView& tensor, std::int64_t offset, std::span<float> out);

/// A Hugging Face Llama folder: config.json and memory-mapped safetensors (single file or sharded index).
class Checkpoint {
  public:
    /// Opens and validates headers, offsets, dtypes and the shapes that the config demands.
    /// Weight values are not read here (NaN is found by to_f32's callers through check_finite()).
    static Expected<std::shared_ptr<const Checkpoint>> open(const std::filesystem::path& folder);

    virtual ~Checkpoint() = default;
    virtual const ModelConfig& config() const = 0;
    virtual const std::filesystem::path& folder() const = 0;

    /// The named tensor. Errors: bad_input (missing, other shape than `shape`), each naming file and tensor.
    virtual Expected<TensorView> tensor(std::string_view name, std::span<const std::int64_t> shape) const = 0;

    /// Hash of config, tokenizer, and all tensor data: the model's identity for resume. Hex, 32 digits.
    virtual std::string hash() const = 0;
    virtual std::int64_t parameter_count() const = 0;
};

} // namespace quantscope
