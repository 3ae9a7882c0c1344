// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/json/json_fields.h"

#include <string>
#include <string_view>
#include <utility>

namespace quantscope::protocol {

using Json = nlohmann::json;

/// One line of the protocol as an object; null when it is none, nested deeper than 32 levels or names a
/// member twice.
[[nodiscard]] inline Json message_object(std::string_view line) {
    constexpr std::size_t max_depth = 32;
    auto object = parse_json_object(line, "message", {.max_depth = max_depth});
    return object ? *std::move(object) : Json();
}

/// The fields of a message, whose sentence needs no hint: it goes to the other side's developer.
[[nodiscard]] inline JsonFields message_fields(const Json& object, std::string what) {
    return {object, std::move(what), {}, {}};
}

} // namespace quantscope::protocol
