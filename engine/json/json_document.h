// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace quantscope {

enum class JsonDialect {
    standard, ///< RFC 8259
    /// What Python's json module writes, too. NaN, Infinity, -Infinity and numbers beyond a double are read
    /// as null, a lone surrogate escape as U+FFFD; of a key that comes twice the last counts, as in Python.
    python,
};

/// Bounds on a document's structure, so that a hostile one cannot exhaust memory or stack, or hide a key
/// behind another: with JsonDialect::standard a key that comes twice is refused, because readers disagree
/// about which one counts.
struct JsonLimits {
    std::size_t max_depth = 8;
    std::size_t max_values = 4'000'000;
    JsonDialect dialect = JsonDialect::standard;
    const char* hint = "The file is damaged or incomplete: download it again.";
};

/// Parses untrusted JSON in one pass, in time that grows with n log n.
/// @param where  what the text is, as messages should call it ("/models/x/config.json")
/// Errors: bad_input, naming `where` with the place.
[[nodiscard]] Expected<nlohmann::json> parse_json(std::string_view text, std::string_view where,
                                                  const JsonLimits& limits = {});

/// The same for a text whose top level must be an object.
[[nodiscard]] Expected<nlohmann::json> parse_json_object(std::string_view text, std::string_view where,
                                                         const JsonLimits& limits = {});

/// A value as a message shows it: shortened, and never invalid UTF-8.
[[nodiscard]] std::string describe(const nlohmann::json& value);

} // namespace quantscope
