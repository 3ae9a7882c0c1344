// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/fields.h"

#include <functional>
#include <string>
#include <vector>

namespace quantscope::bpe {

/// What turns the spellings of a sequence's tokens into parts of its text, which are then joined. A character
/// that the last tokens begin without finishing gives no text, so that the text of a longer sequence
/// continues that of a shorter one. Errors: bad_input, without a place.
using Decoder = std::function<Expected<std::vector<std::string>>(std::vector<std::string>)>;

/// The "decoder" of a tokenizer.json: Sequence, ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip.
/// Errors: bad_input, unsupported, each with its place.
Expected<Decoder> parse_decoder(const Fields& fields);

} // namespace quantscope::bpe
