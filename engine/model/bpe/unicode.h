// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quantscope::bpe {

/// Bytes that a UTF-8 sequence has, by its first byte; 1 for what cannot start one.
std::size_t sequence_length(unsigned char first);

/// Bytes at the start of `text` that are one well-formed character; 0: none is there.
std::size_t character_length(std::string_view text);

/// Bytes at the end of `text` that begin a character without finishing it.
std::size_t unfinished_tail(std::string_view text);

/// The text with U+FFFD for what is not UTF-8, one for each maximal part of a broken character (Unicode's
/// recommendation, and what Rust's from_utf8_lossy does).
std::string to_valid_utf8(std::string_view text);

/// A code point that is being read or appended.
char32_t decode_character(std::string_view character);
void append_utf8(std::string& text, char32_t code_point);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
/// Of valid UTF-8 (utf8proc, Unicode 15). Errors: out_of_memory.
Expected<std::string> normalize(std::string_view text, NormalForm form);

/// Each character's lower case, without context. Of valid UTF-8.
std::string lower_case(std::string_view text);

/// Unicode's White_Space.
bool is_white_space(char32_t code_point);
/// What a word is made of to Rust's regular expressions (\w of UTS 18).
bool is_word(char32_t code_point);

/// GPT-2's alphabet: a printable character for each byte, so that a vocabulary of bytes can be written as
/// text. Bytes that Latin-1 prints stand for themselves, the others for U+0100 and following.
const std::array<std::string, 256>& byte_characters();
/// The byte that a character of the alphabet stands for, or -1.
int byte_of_character(char32_t code_point);

} // namespace quantscope::bpe
