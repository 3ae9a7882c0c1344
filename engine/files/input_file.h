// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <filesystem>
#include <string>

namespace quantscope {

/// The whole text of an untrusted file, unpacked if it starts with gzip's magic, without a UTF-8 byte order
/// mark. "-" and "/dev/stdin" are the standard input, and "/dev/fd/N" an open descriptor; any other path must
/// be a regular file: opening a named pipe would wait for its writer without a word.
/// Errors name the file: not there, not a regular file, truncated or damaged compression, UTF-16, more than
/// `max_bytes` (checked while reading and unpacking, so that no more than `max_bytes` are ever held).
[[nodiscard]] Expected<std::string> read_text_file(const std::filesystem::path& file, std::size_t max_bytes);

} // namespace quantscope
