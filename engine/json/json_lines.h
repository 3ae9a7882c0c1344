// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <functional>
#include <string_view>

namespace quantscope {

/// Called with each line that is not blank, and its number counted from 1. An error ends the walk.
using LineVisitor = std::function<Expected<>(std::string_view line, std::size_t number)>;

/// The lines of a JSON-lines text, ended by LF or CR LF, the last one also by nothing.
[[nodiscard]] Expected<> for_each_line(std::string_view text, const LineVisitor& visit);

} // namespace quantscope
