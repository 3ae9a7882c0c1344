// SPDX-License-Identifier: Apache-2.0
#include "engine/base/printable.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace quantscope {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;
constexpr char kEscape = '\x1b';

/// One character of UTF-8 at `at`, which moves behind it; kReplacement and one byte where there is none.
std::uint32_t take_character(std::string_view text, std::size_t& at) {
    const auto first = static_cast<unsigned char>(text[at++]);
    if (first < 0x80) {
        return first;
    }
    const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || at + more > text.size()) {
        return kReplacement;
    }
    std::uint32_t code = first & (0x3FU >> more);
    for (std::size_t i = 0; i < more; ++i) {
        const auto byte = static_cast<unsigned char>(text[at + i]);
        if ((byte & 0xC0U) != 0x80U) {
            return kReplacement;
        }
        code = code << 6U | (byte & 0x3FU);
    }
    constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return kReplacement;
    }
    at += more;
    return code;
}

/// Behind the escape sequence that starts at `at` (ECMA-48: CSI with its parameters, strings such as OSC up
/// to BEL or ST, else two or three characters).
std::size_t behind_escape(std::string_view text, std::size_t at) {
    ++at;
    if (at >= text.size()) {
        return at;
    }
    const char kind = text[at++];
    if (kind == '[') {
        while (at < text.size() && text[at] >= 0x20 && text[at] < 0x40) {
            ++at;
        }
        return std::min(at + 1, text.size());
    }
    if (kind == ']' || kind == 'P' || kind == '_' || kind == '^' || kind == 'X') {
        while (at < text.size() && text[at] != '\a' && text[at] != kEscape && text[at] != '\n') {
            ++at;
        }
        if (at < text.size() && text[at] == kEscape) {
            ++at; // of ST, whose second character follows
        }
        return std::min(at + 1, text.size());
    }
    const bool has_final = kind >= 0x20 && kind < 0x30; // "ESC ( B"
    return has_final ? std::min(at + 1, text.size()) : at;
}

bool is_blank(std::uint32_t code) {
    return code <= 0x20 || (code >= 0x7F && code <= 0xA0) || code == 0x2028 || code == 0x2029;
}

/// Characters without a shape of their own that change how their neighbours are drawn.
bool is_invisible(std::uint32_t code) {
    return code == 0x061C || code == 0xFEFF || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
           (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE007F);
}

} // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
    std::string out;
    bool blank = false;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == kEscape) {
            at = behind_escape(text, at);
            continue;
        }
        const std::size_t start = at;
        const std::uint32_t code = take_character(text, at);
        if (is_invisible(code)) {
            continue;
        }
        if (is_blank(code)) {
            blank = !out.empty();
            continue;
        }
        const std::string_view shown = code == kReplacement ? "\xEF\xBF\xBD" : text.substr(start, at - start);
        if (out.size() + shown.size() + 1 > max_bytes) {
            return out + "…";
        }
        if (blank) {
            out += ' ';
        }
        blank = false;
        out += shown;
    }
    return out;
}

std::string quoted_last_lines(std::string_view text, std::size_t count) {
    std::vector<std::string> lines; // the last first
    while (!text.empty() && lines.size() < count) {
        const std::size_t newline = text.rfind('\n');
        std::string_view line = newline == std::string_view::npos ? text : text.substr(newline + 1);
        text = newline == std::string_view::npos ? std::string_view() : text.substr(0, newline);
        while (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        if (const std::size_t overwritten = line.rfind('\r'); overwritten != std::string_view::npos) {
            line.remove_prefix(overwritten + 1);
        }
        if (std::string shown = printable(line); !shown.empty()) {
            lines.push_back('"' + shown + '"');
        }
    }
    std::string quoted;
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        quoted += (quoted.empty() ? "" : ", ") + *line;
    }
    return quoted;
}

} // namespace quantscope
