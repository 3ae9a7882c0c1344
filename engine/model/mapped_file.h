// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace quantscope {

/// A regular file mapped read-only. The mapping stays valid when the file is renamed or deleted; a file that
/// is truncated while it is mapped ends the process with SIGBUS, which no check at opening can prevent (the
/// engine runs in a process of its own, so the window survives it).
class MappedFile {
  public:
    /// Errors: io (missing, no permission, a directory or other special file, cannot be mapped).
    static Expected<MappedFile> open(const std::filesystem::path& path);

    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return {data_, size_}; }
    std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  private:
    MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}

    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// The whole of a small file. Errors: as MappedFile::open(), and bad_input when it exceeds `max_bytes`.
Expected<std::string> read_small_file(const std::filesystem::path& path, std::size_t max_bytes);

} // namespace quantscope
