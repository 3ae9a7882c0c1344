// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <sys/stat.h>

namespace quantscope {

/// The open descriptor that a path stands for: "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/7",
/// "/proc/self/fd/7", and "-" for `dash`. Such a path is meant as a stream, whatever lies behind it.
[[nodiscard]] std::optional<int> descriptor_of(const std::filesystem::path& path, int dash);

/// What a file is, for a message: "a folder", "a named pipe (FIFO)", "a block device".
[[nodiscard]] const char* kind_of_file(mode_t mode);

} // namespace quantscope
