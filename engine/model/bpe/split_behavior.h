// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/pre_tokenizer.h"
#include "engine/model/bpe/regex.h"

#include <optional>
#include <string_view>

namespace quantscope::bpe {

/// What becomes of the matches of a pattern that splits a text.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// By the format's names ("MergedWithNext").
std::optional<SplitBehavior> split_behavior(std::string_view name);

/// Splits every piece at the pattern. @param invert  what does not match is the separator
Expected<std::vector<Piece>> split_pieces(const std::vector<Piece>& pieces, const Regex& pattern,
                                          SplitBehavior behavior, bool invert = false);

} // namespace quantscope::bpe
