// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/messages.h"

#include <optional>
#include <string>
#include <string_view>

namespace quantscope::protocol {

/// Cuts a byte stream at '\n'. A line longer than `max_bytes` (its '\n' counted) is reported once as an
/// error and skipped, so that memory stays bounded whatever arrives.
class LineSplitter {
  public:
    explicit LineSplitter(std::size_t max_bytes = kMaxLineBytes) : max_bytes_(max_bytes) {}

    void feed(std::string_view bytes);

    /// The next line without its '\n' ('\r's before it go too: terminals on the way may add several), an
    /// error for an oversize line, or nothing until more is fed.
    std::optional<Expected<std::string>> next();

    /// Bytes of a line that has not ended yet.
    [[nodiscard]] std::size_t pending_bytes() const { return buffer_.size() - begin_ + skipped_; }
    /// What of it is held (once next() has nothing): all, or nothing of an oversize line.
    [[nodiscard]] std::string_view pending() const { return std::string_view(buffer_).substr(begin_); }

  private:
    Error too_long() const;

    std::size_t max_bytes_;
    std::string buffer_;
    std::size_t begin_ = 0;   ///< start of the current line in buffer_
    std::size_t scanned_ = 0; ///< no '\n' before this
    std::size_t skipped_ = 0; ///< bytes thrown away of an oversize line; 0: none is being skipped
};

} // namespace quantscope::protocol
