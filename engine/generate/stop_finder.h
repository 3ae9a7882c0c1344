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
/// of its length, so a short tail is decoded first, and the whole only where the tail looks like a stop.
class StopFinder {
  public:
    StopFinder(const Tokenizer& tokenizer, std::span<const std::string> stops);

    /// Whether the last tokens could complete a stop string. May say yes wrongly, never no wrongly.
    bool possible(std::span<const std::int32_t> tokens) const;

    struct Text {
        std::string completion; ///< cut before the earliest stop string
        bool stop_found = false;
    };
    /// The continuation's text: decode(prompt + tokens) minus the prompt.
    Expected<Text> completion(std::string_view prompt, std::span<const std::int32_t> prompt_ids,
                              std::span<const std::int32_t> tokens) const;

  private:
    const Tokenizer& tokenizer_;
    std::span<const std::string> stops_;
    std::size_t longest_ = 0;
};

} // namespace quantscope
