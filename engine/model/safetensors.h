// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/mapped_file.h"
#include "engine/model/tensor.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope {

/// One entry of a safetensors header, checked against the file.
struct SafetensorsEntry {
    std::string dtype; ///< as written: "BF16", "I64", ...
    std::vector<std::int64_t> shape;
    std::span<const std::byte> data; ///< exactly product(shape) elements

    /// The dtypes that weights may have; nothing for the others, which a model's extra tensors may use.
    std::optional<DType> float_dtype() const;
};

/// A memory-mapped safetensors file: an unsigned 64-bit little-endian header length, a JSON header
/// {name: {dtype, shape, data_offsets: [begin, end]}}, then the data that the offsets count from.
/// Format: https://huggingface.co/docs/safetensors. As the format demands, the tensors must cover the data
/// without overlap or hole, and no name may be there twice.
class SafetensorsFile {
  public:
    /// Checks everything but the values. Errors: io, bad_input; each names the file, the tensor where there
    /// is one, what was expected and found.
    static Expected<SafetensorsFile> open(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    const std::map<std::string, SafetensorsEntry, std::less<>>& tensors() const { return tensors_; }
    /// The whole file, for hashing.
    std::span<const std::byte> bytes() const { return file_.bytes(); }
    /// Length field and header: the part of bytes() before the data.
    std::size_t header_size() const { return header_size_; }

  private:
    SafetensorsFile(std::filesystem::path path, MappedFile file)
        : path_(std::move(path)), file_(std::move(file)) {}

    std::filesystem::path path_;
    MappedFile file_;
    std::size_t header_size_ = 0;
    std::map<std::string, SafetensorsEntry, std::less<>> tensors_;
};

} // namespace quantscope
