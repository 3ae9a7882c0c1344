// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

/// JSON-lines files, plain or gzip-compressed, read as untrusted input.
namespace quantscope::eval {

/// Largest unpacked problem file: HumanEval is 0.2 MiB, and a 256 KiB gzip bomb unpacks to this.
inline constexpr std::size_t max_problem_file_bytes = std::size_t{256} << 20;
/// Largest unpacked samples file: 164 problems x 200 samples of 4 KiB are 0.13 GiB.
inline constexpr std::size_t max_sample_file_bytes = std::size_t{1} << 30;

/// The whole file as text, unpacked if it starts with gzip's magic (several gzip members are one text).
/// Errors name the file: not there, not a regular file, truncated or damaged compression, more than
/// `max_bytes` (checked while unpacking, so that no more than `max_bytes` are ever held).
[[nodiscard]] Expected<std::string> read_text_file(const std::filesystem::path& file, std::size_t max_bytes);

/// Called with each line that is not blank, and its number counted from 1. An error ends the walk.
using LineVisitor = std::function<Expected<>(std::string_view line, std::size_t number)>;
[[nodiscard]] Expected<> for_each_line(std::string_view text, const LineVisitor& visit);

/// One line parsed as a JSON object, key order kept. `where` ("FILE, line N") starts every error message.
/// Nesting deeper than 64 is refused, because printing deeper values again would exhaust the stack.
[[nodiscard]] Expected<nlohmann::ordered_json> parse_object(std::string_view line, const std::string& where);

/// The string under `key`; an error names the key and what was found in its place.
[[nodiscard]] Expected<std::string> take_string(nlohmann::ordered_json& object, const char* key,
                                                const std::string& where);

} // namespace quantscope::eval
