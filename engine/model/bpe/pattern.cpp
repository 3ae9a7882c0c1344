// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/pattern.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>

namespace quantscope::bpe {

namespace {

/// What \w is to Oniguruma: besides letters, marks and numbers with a place value, the six "other numbers"
/// below U+0100.
constexpr const char* word_members =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";

struct Name {
    std::string_view long_name;
    const char* short_name;
};
/// Oniguruma also takes a category's long name.
constexpr std::array<Name, 7> categories = {{{"Letter", "L"},
                                             {"Mark", "M"},
                                             {"Number", "N"},
                                             {"Punctuation", "P"},
                                             {"Symbol", "S"},
                                             {"Separator", "Z"},
                                             {"Other", "C"}}};

class Translator {
  public:
    explicit Translator(std::string_view pattern) : in_(pattern) {}

    Expected<std::string> run();

  private:
    bool at_end() const { return at_ >= in_.size(); }
    char peek(std::size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
    void copy(std::size_t count) {
        out_ += in_.substr(at_, count);
        at_ += count;
    }
    Expected<> escape(bool in_class);
    Expected<> property();
    Expected<> code_point(std::size_t prefix, std::size_t digits);
    Expected<> char_class();
    Expected<> group();
    Expected<> repeat();
    tl::unexpected<Error> unknown(std::string what) const {
        return make_error(ErrorCode::bad_input, std::move(what));
    }

    std::string_view in_;
    std::size_t at_ = 0;
    std::string out_;
};

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// \uHHHH and \xHH, and \x{H...}.
Expected<> Translator::code_point(std::size_t prefix, std::size_t digits) {
    const bool braces = digits == 0;
    std::size_t begin = at_ + prefix;
    std::size_t end = begin;
    while (end < in_.size() && is_hex(in_[end]) && (braces || end - begin < digits)) {
        ++end;
    }
    const std::string_view hex = in_.substr(begin, end - begin);
    if (hex.empty() || hex.size() > 6 || (digits == 4 && hex.size() != 4) ||
        (braces && (end >= in_.size() || in_[end] != '}'))) {
        return unknown("an escape of a character that ends early");
    }
    out_ += fmt::format("\\x{{{}}}", hex);
    at_ = end + (braces ? 1 : 0);
    return {};
}

Expected<> Translator::property() {
    bool negated = peek(1) == 'P';
    std::size_t begin = at_ + 2;
    std::string_view name;
    if (peek(2) == '{') {
        const std::size_t end = in_.find('}', at_);
        if (end == std::string_view::npos) {
            return unknown("a property without its '}'");
        }
        name = in_.substr(at_ + 3, end - at_ - 3);
        begin = end + 1;
    } else {
        return unknown("a property without braces");
    }
    if (name.starts_with('^')) {
        negated = !negated;
        name.remove_prefix(1);
    }
    if (name.empty() ||
        !std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '_' || c == ' '; })) {
        return unknown(fmt::format("the property '{}'", name));
    }
    const auto category = std::find_if(categories.begin(), categories.end(),
                                       [&](const Name& entry) { return entry.long_name == name; });
    std::string known = category != categories.end() ? category->short_name : std::string(name);
    if (known == "Word" || known == "Alnum" || known == "Punct" || known == "Space" || known == "Digit") {
        return unknown(fmt::format("the property '{}'", name));
    }
    // PCRE2 takes a script's name alone for its extensions, too.
    const bool script = known.size() > 2 && known != "Any" && known != "Alphabetic" &&
                        known != "White_Space" && known != "Uppercase" && known != "Lowercase";
    out_ += fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', script ? "sc:" : "", known);
    at_ = begin;
    return {};
}

Expected<> Translator::escape(bool in_class) {
    const char c = peek(1);
    switch (c) {
    case 's':
    case 'S':
        out_ += c == 's' ? R"(\p{White_Space})" : R"(\P{White_Space})";
        at_ += 2;
        return {};
    case 'd':
    case 'D':
        out_ += c == 'd' ? R"(\p{Nd})" : R"(\P{Nd})";
        at_ += 2;
        return {};
    case 'w':
    case 'W':
        if (in_class && c == 'W') {
            return unknown("\\W inside a class");
        }
        out_ += in_class ? word_members : fmt::format("[{}{}]", c == 'W' ? "^" : "", word_members);
        at_ += 2;
        return {};
    case 'p':
    case 'P': return property();
    case 'x': return peek(2) == '{' ? code_point(3, 0) : code_point(2, 2);
    case 'u': return code_point(2, 4);
    case 'v':
        out_ += "\\x{0b}";
        at_ += 2;
        return {};
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'a':
    case 'e': copy(2); return {};
    case 'A':
    case 'z':
        if (!in_class) {
            copy(2);
            return {};
        }
        break;
    default: break;
    }
    if (at_ + 1 >= in_.size()) {
        return unknown("a '\\' at its end");
    }
    if (is_alnum(c)) {
        return unknown(fmt::format("the escape \\{}{}", c, in_class ? " inside a class" : ""));
    }
    copy(2);
    return {};
}

Expected<> Translator::char_class() {
    copy(1);
    if (peek() == '^') {
        copy(1);
    }
    bool first = true;
    while (!at_end()) {
        const char c = peek();
        if (c == ']' && !first) {
            copy(1);
            return {};
        }
        if (c == ']') {
            return unknown("a class that is empty or begins with ']'");
        }
        if (c == '[') {
            return unknown("'[' inside a class, unless it is written '\\['");
        }
        if (c == '&' && peek(1) == '&') {
            return unknown("&& inside a class");
        }
        if (c == '\\') {
            if (auto ok = escape(true); !ok) {
                return ok;
            }
        } else {
            copy(1);
        }
        first = false;
    }
    return unknown("a class without its ']'");
}

Expected<> Translator::group() {
    if (peek(1) != '?') {
        out_ += "(?:"; // nothing refers to a group
        at_ += 1;
        return {};
    }
    for (const std::string_view known : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"}) {
        if (in_.substr(at_).starts_with(known)) {
            copy(known.size());
            return {};
        }
    }
    if (at_ == 0 && in_.starts_with("(?i)")) { // elsewhere the two disagree about where it ends
        copy(4);
        return {};
    }
    return unknown(fmt::format("a group that begins with '{}'", in_.substr(at_, 4)));
}

/// {n}, {n,}, {,m} and {n,m}. Oniguruma takes '{' literally where it is none of these.
Expected<> Translator::repeat() {
    std::size_t end = at_ + 1;
    const auto digits = [&] {
        const std::size_t begin = end;
        while (end < in_.size() && in_[end] >= '0' && in_[end] <= '9') {
            ++end;
        }
        return std::string(in_.substr(begin, end - begin));
    };
    const std::string least = digits();
    const bool comma = end < in_.size() && in_[end] == ',';
    end += comma ? 1 : 0;
    const std::string most = comma ? digits() : std::string();
    if (end >= in_.size() || in_[end] != '}' || (least.empty() && most.empty())) {
        out_ += "\\{";
        at_ += 1;
        return {};
    }
    if (least.size() > 3 || most.size() > 3) {
        return unknown("a repetition of more than 999");
    }
    at_ = end + 1;
    if (peek() == '+' || (peek() == '?' && !comma)) {
        return unknown(fmt::format("'{}' behind a repetition in braces", peek()));
    }
    out_ += fmt::format("{{{}{}{}}}", least.empty() ? "0" : least, comma ? "," : "", most);
    return {};
}

Expected<std::string> Translator::run() {
    while (!at_end()) {
        Expected<> ok;
        switch (peek()) {
        case '\\': ok = escape(false); break;
        case '[': ok = char_class(); break;
        case '(': ok = group(); break;
        case '{': ok = repeat(); break;
        default: copy(1); break;
        }
        if (!ok) {
            return tl::unexpected(ok.error());
        }
    }
    return std::move(out_);
}

} // namespace

Expected<std::string> to_pcre2(std::string_view pattern) {
    return Translator(pattern).run();
}

} // namespace quantscope::bpe
