// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace quantscope::eval {

/// A file that appears under its name only when it is complete: written beside it under a temporary name,
/// synced, then renamed. Without commit() the destructor removes what was written.
class AtomicFile {
  public:
    /// Error (io): the folder is missing or not writable; says so before any work is done.
    [[nodiscard]] static Expected<AtomicFile> create(const std::filesystem::path& target);
    AtomicFile(AtomicFile&& other) noexcept;
    AtomicFile& operator=(AtomicFile&&) = delete;
    ~AtomicFile();

    /// Errors (io): disk full, quota, file size limit.
    [[nodiscard]] Expected<> write(std::string_view text);
    [[nodiscard]] Expected<> commit();

  private:
    AtomicFile(std::filesystem::path target, std::filesystem::path temporary, std::FILE* file);
    [[nodiscard]] tl::unexpected<Error> failure(const char* doing) const;

    std::filesystem::path target_;
    std::filesystem::path temporary_;
    std::FILE* file_ = nullptr;
};

} // namespace quantscope::eval
