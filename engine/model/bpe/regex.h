// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace quantscope::bpe {

/// A part of a text, and whether the pattern matched it.
struct Span {
    std::size_t begin = 0; ///< bytes
    std::size_t end = 0;
    bool match = false;
};

/// A regular expression of a tokenizer.json (PCRE2, compiled where it can be). Neither pattern nor text is
/// trusted: steps, stack and time are bounded. May be used from several threads.
class Regex {
  public:
    /// Errors: bad_input (too long, no regular expression), unsupported (a spelling that is not known here);
    /// the message is what is wrong, without a place.
    static Expected<Regex> compile(std::string_view pattern);
    /// The pattern that matches exactly `text`.
    static Expected<Regex> literal(std::string_view text);

    /// Splits a text (valid UTF-8) into what matches and what lies between, without gaps. Errors: bad_input
    /// (the pattern takes too many steps on this text).
    Expected<std::vector<Span>> split(std::string_view text) const;

  private:
    static Expected<Regex> make(const std::string& pcre2, std::string_view as_written);

    std::shared_ptr<const pcre2_real_code_8> code_;
    std::string pattern_; ///< as written, for messages
};

} // namespace quantscope::bpe
