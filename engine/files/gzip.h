// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <filesystem>
#include <string>

namespace quantscope {

/// Unpacks gzip (several members are one text). Errors (bad_input) name `file`: truncated or damaged data,
/// more than `max_bytes`, of which no more are ever held.
[[nodiscard]] Expected<std::string> gunzip(const std::filesystem::path& file, const std::string& packed,
                                           std::size_t max_bytes);

/// The refusal of a file that holds too much.
[[nodiscard]] tl::unexpected<Error> too_large(const std::filesystem::path& file, std::size_t max_bytes);

} // namespace quantscope
