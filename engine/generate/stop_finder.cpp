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
}

bool StopFinder::possible(std::span<const std::int32_t> tokens) const {
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
