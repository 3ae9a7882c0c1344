// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace quantscope::protocol {

/// Keeps the order in which fields are written, so that recorded streams read well.
using OrderedJson = nlohmann::ordered_json;

/// The object as one line with its '\n', broken UTF-8 replaced by U+FFFD.
std::string to_line(const OrderedJson& message);

/// As to_line(), but never longer than kMaxLineBytes: the longest texts are cut until it fits, each with a
/// note at its end. Nothing when texts alone cannot make it fit.
std::optional<std::string> to_fitting_line(OrderedJson message);

} // namespace quantscope::protocol
