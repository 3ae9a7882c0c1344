// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/fields.h"

#include <functional>
#include <string>
#include <vector>

namespace quantscope::bpe {

/// A part of a text that tokens do not reach across.
struct Piece {
    std::string text;
    bool starts_text = false; ///< it begins where the whole text does
};

/// Splits pieces further, and rewrites them. No piece is empty. Errors: bad_input, without a place.
using PreTokenizer = std::function<Expected<std::vector<Piece>>(std::vector<Piece>)>;

/// The "pre_tokenizer" of a tokenizer.json: Sequence, Split, ByteLevel, Metaspace, Digits, Whitespace,
/// WhitespaceSplit, Punctuation. Errors: bad_input, unsupported, each with its place.
Expected<PreTokenizer> parse_pre_tokenizer(const Fields& fields);

/// What SentencePiece does with a section of text before it looks for tokens: every space is '▁', and one is
/// put in front, also where the text already begins with one.
PreTokenizer sentencepiece_prefix();

} // namespace quantscope::bpe
