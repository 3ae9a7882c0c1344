// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/split_behavior.h"

#include <algorithm>
#include <array>
#include <utility>

namespace quantscope::bpe {

namespace {

/// The spans that become pieces, from spans that cover the text.
std::vector<Span> joined(const std::vector<Span>& spans, SplitBehavior behavior) {
    std::vector<Span> result;
    const auto reaches_back = [&](const Span& span, const Span* before) {
        switch (behavior) {
        case SplitBehavior::contiguous: return before != nullptr && before->match == span.match;
        case SplitBehavior::merged_with_previous: return before != nullptr && span.match && !before->match;
        case SplitBehavior::merged_with_next: return before != nullptr && before->match && !span.match;
        case SplitBehavior::removed:
        case SplitBehavior::isolated: return false;
        }
        return false;
    };
    const Span* before = nullptr;
    for (const Span& span : spans) {
        if (reaches_back(span, before)) {
            result.back().end = span.end;
        } else if (!(behavior == SplitBehavior::removed && span.match)) {
            result.push_back(span);
        }
        before = &span;
    }
    return result;
}

} // namespace

std::optional<SplitBehavior> split_behavior(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> names = {
        {{"Removed", SplitBehavior::removed},
         {"Isolated", SplitBehavior::isolated},
         {"MergedWithPrevious", SplitBehavior::merged_with_previous},
         {"MergedWithNext", SplitBehavior::merged_with_next},
         {"Contiguous", SplitBehavior::contiguous}}};
    const auto found =
        std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.first == name; });
    return found == names.end() ? std::nullopt : std::optional(found->second);
}

Expected<std::vector<Piece>> split_pieces(const std::vector<Piece>& pieces, const Regex& pattern,
                                          SplitBehavior behavior, bool invert) {
    std::vector<Piece> result;
    for (const Piece& piece : pieces) {
        auto spans = pattern.split(piece.text);
        if (!spans) {
            return tl::unexpected(spans.error());
        }
        for (Span& span : *spans) {
            span.match = span.match != invert;
        }
        for (const Span& span : joined(*spans, behavior)) {
            if (span.begin < span.end) {
                result.push_back({piece.text.substr(span.begin, span.end - span.begin),
                                  piece.starts_text && span.begin == 0});
            }
        }
    }
    return result;
}

} // namespace quantscope::bpe
