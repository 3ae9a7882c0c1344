// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/stop_finder.h"

#include "engine/model/tokenizer.h"

#include <algorithm>

namespace quantscope {

StopFinder::StopFinder(const Tokenizer& tokenizer, std::span<const std::string> stops)
    : tokenizer_(tokenizer), stops_(stops) {
    for (const std::string& stop : stops) {
        longest_ = std::max(longest_, stop.size());
    }
    ends_.resize(static_cast<std::size_t>(tokenizer.vocab_size()), Ends::unknown);
}

/// A stop lies within the text, or its end is the text's beginning.
bool StopFinder::text_may_end_stop(const std::string& text) const {
    return std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) {
        for (std::size_t size = 1; size <= std::min(stop.size(), text.size()); ++size) {
            if (text.compare(0, size, stop, stop.size() - size) == 0) {
                return true;
            }
        }
        return text.find(stop) != std::string::npos;
    });
}

bool StopFinder::may_end_stop(std::int32_t token) {
    if (token < 0 || static_cast<std::size_t>(token) >= ends_.size()) {
        return true;
    }
    Ends& ends = ends_[static_cast<std::size_t>(token)];
    if (ends == Ends::unknown) {
        // Alone, a token may lose a space at either end that it has among others, and a byte of a longer
        // character has no text of its own.
        const auto text = tokenizer_.decode(std::span(&token, 1));
        const bool whole = text && !text->empty() && std::all_of(text->begin(), text->end(), [](char c) {
                               return static_cast<unsigned char>(c) < 0x80U;
                           });
        ends = !whole || text_may_end_stop(*text) || text_may_end_stop(" " + *text) ||
                       text_may_end_stop(*text + " ")
                   ? Ends::maybe
                   : Ends::no;
    }
    return ends == Ends::maybe;
}

bool StopFinder::possible(std::span<const std::int32_t> tokens) {
    if (tokens.empty() || !may_end_stop(tokens.back())) {
        return false;
    }
    // A token is a byte or more, so a stop that the last token completed lies in the last `longest_` tokens;
    // twice that also holds what a decoder changes at the edge of its input (a first space, a broken
    // character), and tokens without text.
    const std::size_t window = std::min(tokens.size(), 2 * longest_ + 8);
    const auto tail = tokenizer_.decode(tokens.last(window));
    return !tail || std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) {
        return tail->find(stop) != std::string::npos;
    });
}

Expected<StopFinder::Text> StopFinder::completion(std::string_view prompt,
                                                  std::span<const std::int32_t> prompt_ids,
                                                  std::span<const std::int32_t> tokens) const {
    auto text = tokenizer_.completion_text(prompt, prompt_ids, tokens);
    if (!text) {
        return tl::unexpected(text.error());
    }
    std::size_t cut = std::string::npos;
    for (const std::string& stop : stops_) {
        cut = std::min(cut, text->find(stop));
    }
    if (cut == std::string::npos) {
        return Text{std::move(*text), false};
    }
    return Text{text->substr(0, cut), true};
}

} // namespace quantscope
