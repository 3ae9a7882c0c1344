// SPDX-License-Identifier: Apache-2.0
#include "engine/json/python_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace quantscope {
namespace {

constexpr std::string_view number_characters = "+-.0123456789eE";
constexpr std::size_t escape_length = 6; // \uXXXX

/// The code unit of an escape \uXXXX at `at`; -1 where there is none.
int code_unit(std::string_view text, std::size_t at) {
    if (text.size() < at + escape_length || text[at] != '\\' || text[at + 1] != 'u')
        return -1;
    int unit = 0;
    const char* end = text.data() + at + escape_length;
    const auto parsed = std::from_chars(text.data() + at + 2, end, unit, 16);
    return parsed.ec == std::errc() && parsed.ptr == end && unit >= 0 ? unit : -1;
}

bool is_high_surrogate(int unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low_surrogate(int unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/// One past the closing quote of the string that opens at `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\')
            ++at;
        else if (text[at] == '"')
            return at + 1;
    }
    return text.size();
}

class Rewriter {
  public:
    explicit Rewriter(std::string_view text) : text_(text) {}

    PlainJson rewrite() {
        for (std::size_t at = 0; at < text_.size();) {
            const char c = text_[at];
            if (c == '"')
                at = pass_string(at);
            else if (c == 'N' || c == 'I' || (c == '-' && text_.substr(at + 1).starts_with("Infinity")))
                at = pass_word(at);
            else if (c == '-' || (c >= '0' && c <= '9'))
                at = pass_number(at);
            else
                ++at;
        }
        if (out_.text)
            out_.text->append(text_.substr(copied_));
        return std::move(out_);
    }

  private:
    /// `with` stands for the `length` bytes at `at`; shorter, it is filled with spaces.
    void replace(std::size_t at, std::size_t length, std::string_view with) {
        if (!out_.text)
            out_.text.emplace();
        std::string& text = *out_.text;
        text.append(text_.substr(copied_, at - copied_)).append(with);
        for (std::size_t extra = length; extra < with.size(); ++extra)
            out_.inserted.push_back(text.size() - with.size() + extra);
        if (with.size() < length)
            text.append(length - with.size(), ' ');
        copied_ = at + length;
    }

    std::size_t pass_word(std::size_t at) {
        for (const std::string_view word :
             {std::string_view("NaN"), std::string_view("Infinity"), std::string_view("-Infinity")}) {
            if (text_.substr(at).starts_with(word)) {
                replace(at, word.size(), "null");
                return at + word.size();
            }
        }
        return at + 1;
    }

    std::size_t pass_number(std::size_t at) {
        const std::size_t end = std::min(text_.find_first_not_of(number_characters, at), text_.size());
        // Below five characters (1e999) no number leaves a double's range.
        constexpr std::size_t shortest = 5;
        const std::string_view number = text_.substr(at, end - at);
        const bool may_overflow =
            number.size() >= shortest && (number.find_first_of("eE") != number.npos || number.size() > 308);
        if (may_overflow && std::isinf(std::strtod(std::string(number).c_str(), nullptr)))
            replace(at, number.size(), "null");
        return end;
    }

    std::size_t pass_string(std::size_t at) {
        const std::size_t end = end_of_string(text_, at);
        for (std::size_t escape = text_.find('\\', at); escape < end; escape = text_.find('\\', escape)) {
            const int unit = code_unit(text_, escape);
            if (is_high_surrogate(unit) && is_low_surrogate(code_unit(text_, escape + escape_length))) {
                escape += 2 * escape_length;
            } else if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
                replace(escape, escape_length, "\\ufffd");
                out_.replaced_surrogates = true;
                escape += escape_length;
            } else {
                escape += 2;
            }
        }
        return end;
    }

    std::string_view text_;
    std::size_t copied_ = 0; ///< what of the original the new text holds already
    PlainJson out_;
};

constexpr std::string_view blanks = " \t\r\n";

std::size_t skip_blanks(std::string_view text, std::size_t at) {
    return std::min(text.find_first_not_of(blanks, at), text.size());
}

/// One past the value that starts at `at`.
std::size_t end_of_value(std::string_view text, std::size_t at) {
    int depth = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '"') {
            at = end_of_string(text, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}'))
            break;
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        ++at;
    }
    return at;
}

} // namespace

std::size_t PlainJson::original_position(std::size_t position) const {
    if (position == 0)
        return 0;
    const auto before = std::lower_bound(inserted.begin(), inserted.end(), position - 1) - inserted.begin();
    return position - static_cast<std::size_t>(before);
}

PlainJson plain_json(std::string_view text) {
    return Rewriter(text).rewrite();
}

std::vector<JsonMember> json_members(std::string_view text) {
    std::vector<JsonMember> members;
    std::size_t at = skip_blanks(text, 0);
    if (at == text.size() || text[at] != '{')
        return members;
    for (at = skip_blanks(text, at + 1); at < text.size() && text[at] == '"';) {
        const std::size_t key_end = end_of_string(text, at);
        const std::size_t colon = skip_blanks(text, key_end);
        const std::size_t value = skip_blanks(text, colon + 1);
        const std::size_t end = end_of_value(text, value);
        const std::size_t trimmed = text.find_last_not_of(blanks, end - 1) + 1;
        members.push_back({text.substr(at, key_end - at), text.substr(value, trimmed - value)});
        at = skip_blanks(text, end + 1);
    }
    return members;
}

} // namespace quantscope
