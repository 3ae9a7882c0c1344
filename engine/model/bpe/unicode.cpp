// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/unicode.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <utf8proc.h>

namespace quantscope::bpe {

namespace {

unsigned char byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

/// Bytes at the start of `text` that could still be the start of a character: the whole character where it is
/// finished. At least 1.
std::size_t good_start(std::string_view text) {
    const unsigned char first = byte_at(text, 0);
    const std::size_t length = sequence_length(first);
    std::size_t good = 1;
    while (good < length && good < text.size()) {
        const unsigned char byte = byte_at(text, good);
        // The second byte also decides about overlong forms, surrogates and the end of Unicode.
        const unsigned low = good > 1 ? 0x80U : first == 0xE0 ? 0xA0U : first == 0xF0 ? 0x90U : 0x80U;
        const unsigned high = good > 1 ? 0xBFU : first == 0xED ? 0x9FU : first == 0xF4 ? 0x8FU : 0xBFU;
        if (byte < low || byte > high) {
            break;
        }
        ++good;
    }
    return good;
}

/// normalize() of a text without the character that utf8proc does not get right.
Expected<std::string> normalize_part(std::string_view text, NormalForm form) {
    if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80U; })) {
        return std::string(text);
    }
    const bool compose = form == NormalForm::nfc || form == NormalForm::nfkc;
    const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
    const int options = UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                        (compatible ? UTF8PROC_COMPAT : 0);
    utf8proc_uint8_t* result = nullptr;
    const utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                               static_cast<utf8proc_ssize_t>(text.size()), &result,
                                               static_cast<utf8proc_option_t>(options));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(result, std::free);
    if (size < 0) {
        return make_error(ErrorCode::out_of_memory, utf8proc_errmsg(size));
    }
    return std::string(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
}

} // namespace

std::size_t sequence_length(unsigned char first) {
    return first >= 0xF0 && first <= 0xF4  ? 4
           : first >= 0xE0 && first < 0xF0 ? 3
           : first >= 0xC2 && first < 0xE0 ? 2
                                           : 1;
}

std::size_t character_length(std::string_view text) {
    if (text.empty()) {
        return 0;
    }
    const unsigned char first = byte_at(text, 0);
    if (first < 0x80) {
        return 1;
    }
    const std::size_t length = sequence_length(first);
    return length > 1 && good_start(text) == length ? length : 0;
}

std::size_t unfinished_tail(std::string_view text) {
    for (std::size_t count = 1; count <= std::min<std::size_t>(3, text.size()); ++count) {
        const std::string_view tail = text.substr(text.size() - count);
        const unsigned char first = byte_at(tail, 0);
        if ((first & 0xC0U) != 0x80U) {
            return sequence_length(first) > count && good_start(tail) == count ? count : 0;
        }
    }
    return 0;
}

std::string to_valid_utf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length > 0) {
            valid += text.substr(0, length);
            text.remove_prefix(length);
        } else {
            valid += "\xEF\xBF\xBD";
            text.remove_prefix(good_start(text));
        }
    }
    return valid;
}

char32_t decode_character(std::string_view character) {
    const unsigned first = byte_at(character, 0);
    char32_t value = character.size() == 1   ? first
                     : character.size() == 2 ? first & 0x1FU
                     : character.size() == 3 ? first & 0x0FU
                                             : first & 0x07U;
    for (std::size_t i = 1; i < character.size(); ++i) {
        value = (value << 6U) | (byte_at(character, i) & 0x3FU);
    }
    return value;
}

void append_utf8(std::string& text, char32_t code_point) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes.data());
    text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

Expected<std::string> normalize(std::string_view text, NormalForm form) {
    // utf8proc 2.8 takes U+11A7, which comes before the first trailing consonant, for one, and loses it
    // behind a Hangul syllable. It neither changes nor joins anything, so that a text may be divided there.
    constexpr std::string_view not_trailing = "\xE1\x86\xA7";
    std::string all;
    while (true) {
        const std::size_t end = std::min(text.find(not_trailing), text.size());
        const auto part = normalize_part(text.substr(0, end), form);
        if (!part) {
            return part;
        }
        all += *part;
        if (end == text.size()) {
            return all;
        }
        all += not_trailing;
        text.remove_prefix(end + not_trailing.size());
    }
}

std::string lower_case(std::string_view text) {
    std::string lower;
    lower.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = std::max<std::size_t>(character_length(text), 1);
        const char32_t character = decode_character(text.substr(0, length));
        if (character == 0x130) { // the one letter whose lower case is two characters everywhere
            lower += "i\xCC\x87";
        } else {
            append_utf8(lower,
                        static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))));
        }
        text.remove_prefix(length);
    }
    return lower;
}

bool is_white_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

bool is_word(char32_t c) {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: break;
    }
    // Circled and squared letters are alphabetic, and the two joiners count.
    return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
           (c >= 0x1F170 && c <= 0x1F189) || c == 0x200C || c == 0x200D;
}

const std::array<std::string, 256>& byte_characters() {
    static const auto table = [] {
        std::array<std::string, 256> characters;
        char32_t next = 0x100;
        for (unsigned byte = 0; byte < 256; ++byte) {
            const bool printed =
                (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
            append_utf8(characters[byte], printed ? byte : next++);
        }
        return characters;
    }();
    return table;
}

int byte_of_character(char32_t code_point) {
    static const auto table = [] {
        std::array<std::int16_t, 0x144> bytes;
        bytes.fill(-1);
        for (unsigned byte = 0; byte < 256; ++byte) {
            bytes[decode_character(byte_characters()[byte])] = static_cast<std::int16_t>(byte);
        }
        return bytes;
    }();
    return code_point < table.size() ? table[code_point] : -1;
}

} // namespace quantscope::bpe
