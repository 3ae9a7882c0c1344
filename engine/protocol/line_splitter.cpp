// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/line_splitter.h"

#include <fmt/format.h>

namespace quantscope::protocol {

void LineSplitter::feed(std::string_view bytes) {
    buffer_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
    buffer_.append(bytes);
}

Error LineSplitter::too_long() const {
    return {ErrorCode::bad_input, fmt::format("A protocol line is longer than {} bytes.", max_bytes_), {}};
}

std::optional<Expected<std::string>> LineSplitter::next() {
    for (;;) {
        const std::size_t end = buffer_.find('\n', scanned_);
        if (end == std::string::npos) {
            scanned_ = buffer_.size();
            const std::size_t length = buffer_.size() - begin_;
            if (skipped_ == 0 && length < max_bytes_) {
                return std::nullopt;
            }
            const bool first = skipped_ == 0;
            skipped_ += length;
            begin_ = buffer_.size();
            if (first) {
                return tl::unexpected(too_long());
            }
            return std::nullopt;
        }
        const std::size_t start = begin_;
        begin_ = end + 1;
        scanned_ = begin_;
        if (skipped_ > 0) { // the end of a line that was reported already
            skipped_ = 0;
            continue;
        }
        if (begin_ - start > max_bytes_) {
            return tl::unexpected(too_long());
        }
        std::string line = buffer_.substr(start, end - start);
        while (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        return line;
    }
}

} // namespace quantscope::protocol
