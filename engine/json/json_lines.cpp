// SPDX-License-Identifier: Apache-2.0
#include "engine/json/json_lines.h"

#include <algorithm>

namespace quantscope {

Expected<> for_each_line(std::string_view text, const LineVisitor& visit) {
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos)
            continue;
        if (auto result = visit(line, number); !result)
            return result;
    }
    return {};
}

} // namespace quantscope
