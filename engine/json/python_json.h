// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope {

/// What Python's json module writes beyond RFC 8259, rewritten so that any parser reads it.
struct PlainJson {
    std::optional<std::string> text;   ///< nothing where the original is plain already
    std::vector<std::size_t> inserted; ///< bytes of `text`, ascending, that the original does not have
    bool replaced_surrogates = false;  ///< a lone surrogate escape became U+FFFD

    /// The place in the original of the 1-based `position` in `text`; 0 stays 0.
    [[nodiscard]] std::size_t original_position(std::size_t position) const;
};

/// NaN, Infinity, -Infinity and numbers beyond a double become null, lone surrogate escapes U+FFFD. Anything
/// else, also what is wrong, stays as it is. Linear time.
[[nodiscard]] PlainJson plain_json(std::string_view text);

/// A member of an object's top level, as it is written.
struct JsonMember {
    std::string_view key; ///< with its quotes
    std::string_view value;
};

/// The members of the object in `text`, which must have been parsed before: what is not an object has none.
/// Linear time.
[[nodiscard]] std::vector<JsonMember> json_members(std::string_view text);

} // namespace quantscope
