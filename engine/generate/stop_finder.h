// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope {

class Tokenizer;

/// Finds stop strings in a growing continuation. Decoding all of it after every token would cost the square
/// of its length, so a short tail is decoded first, and the whole only where the tail looks like a stop; and
/// the tail only after a token whose own text can end a stop (8 us a token otherwise, half a millisecond a
/// step at batch 64).
class StopFinder {
  public:
    StopFinder(const Tokenizer& tokenizer, std::span<const std::string> stops);

    /// Whether the last tokens could complete a stop string. May say yes wrongly, never no wrongly.
    bool possible(std::span<const std::int32_t> tokens);

    struct Text {
        std::string completion; ///< cut before the earliest stop string
        bool stop_found = false;
    };
    /// The continuation's text: decode(prompt + tokens) minus the prompt.
    Expected<Text> completion(std::string_view prompt, std::span<const std::int32_t> prompt_ids,
                              std::span<const std::int32_t> tokens) const;

  private:
    enum class Ends : std::uint8_t { unknown, no, maybe };
    bool may_end_stop(std::int32_t token);
    bool text_may_end_stop(const std::string& text) const;

    const Tokenizer& tokenizer_;
    std::span<const std::string> stops_;
    std::size_t longest_ = 0;
    std::vector<Ends> ends_; ///< of each token id, as far as it was asked for
};

} // namespace quantscope
