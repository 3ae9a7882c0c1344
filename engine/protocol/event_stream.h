// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/codec.h"
#include "engine/protocol/line_splitter.h"
#include "engine/protocol/unwrapper.h"

#include <optional>
#include <string>
#include <string_view>

namespace quantscope::protocol {

/// The client's end of a worker's stdout: fed with bytes as they come, it yields events in order.
/// It skips what precedes `hello` (up to kMaxBannerBytes, also in the same line), takes off a launcher's
/// labels (Unwrapper), refuses other protocol versions and a second worker, and demands consecutive `seq`, so
/// that nothing can be lost unnoticed.
///
/// The first error ends the stream: after it next() yields nothing, and the worker is to be ended.
/// Typical use: feed(bytes); while (auto item = next()) { ... }
class EventStream {
  public:
    void feed(std::string_view bytes);

    /// The stream is at its end (the worker's stdout closed). A half line, or no `hello` at all, is an
    /// error that next() yields; whether runs are still open is for the client to judge.
    void finish();

    /// The next event, the error that ends the stream, or nothing until more is fed.
    std::optional<Expected<Event>> next();

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool greeted() const { return last_seq_ > 0; } ///< `hello` has come
    /// What came instead of `hello` so far, with the line that has not ended; at most some kMaxBannerBytes.
    [[nodiscard]] std::string banner() const;

  private:
    Expected<std::optional<Event>> take(const std::string& line);
    Expected<std::optional<Event>> await_hello(const std::string& line);
    Expected<std::optional<Event>> greet(const std::string& hello);
    [[nodiscard]] bool unended_line_is_too_long() const;
    [[nodiscard]] Error no_hello(const std::string& start) const;
    [[nodiscard]] Error endless_banner() const;
    [[nodiscard]] Error end_of_stream() const;

    LineSplitter lines_;
    Unwrapper unwrapper_;
    std::string banner_;
    std::int64_t last_seq_ = 0;
    bool finished_ = false;
    bool failed_ = false;
};

} // namespace quantscope::protocol
