// SPDX-License-Identifier: Apache-2.0
#include "engine/base/sentence.h"

#include <string_view>

namespace quantscope {

std::string sentence(const Error& error) {
    if (error.hint.empty())
        return error.message;
    const bool open = !error.message.empty() &&
                      std::string_view(".!?:;)\n").find(error.message.back()) == std::string_view::npos;
    return error.message + (open ? ". " : " ") + error.hint;
}

} // namespace quantscope
