// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/pattern_fields.h"

namespace quantscope::bpe {

Expected<Regex> parse_pattern(const Fields& fields) {
    const auto pattern = fields.object("pattern");
    if (!pattern) {
        return tl::unexpected(pattern.error());
    }
    if (auto ok = pattern->only({"String", "Regex"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const bool literal = pattern->find("String") != nullptr;
    const char* const key = literal ? "String" : "Regex";
    const auto text = pattern->string(key);
    if (!text) {
        return tl::unexpected(text.error());
    }
    auto regex = literal ? Regex::literal(*text) : Regex::compile(*text);
    if (!regex) {
        return pattern->unsupported(key, "a regular expression that Quantscope can run",
                                    regex.error().message);
    }
    return regex;
}

} // namespace quantscope::bpe
