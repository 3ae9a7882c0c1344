// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/event_stream.h"

#include "engine/base/printable.h"
#include "engine/protocol/message_object.h"

#include <fmt/format.h>

namespace quantscope::protocol {
namespace {

/// A line that we wrote ourselves: a terminal between us and the worker may send it back.
bool is_echo(const std::string& line) {
    const Json object = message_object(line);
    return object.is_object() && object.contains("request") && !object.contains("event");
}

} // namespace

void EventStream::feed(std::string_view bytes) {
    if (!failed_ && !finished_) {
        lines_.feed(bytes);
    }
}

void EventStream::finish() {
    finished_ = true;
}

std::optional<Expected<Event>> EventStream::next() {
    while (!failed_) {
        std::optional<Expected<std::string>> line = lines_.next();
        if (!line) {
            break;
        }
        Expected<std::optional<Event>> taken = *line ? take(**line) : tl::unexpected((*line).error());
        if (!taken) {
            failed_ = true;
            return tl::unexpected(taken.error());
        }
        if (*taken) {
            return **std::move(taken);
        }
    }
    if (!failed_ && unended_line_is_too_long()) {
        failed_ = true;
        return tl::unexpected(endless_banner());
    }
    if (failed_ || !finished_ || (greeted() && lines_.pending_bytes() == 0 && !unwrapper_.in_pieces())) {
        return std::nullopt;
    }
    failed_ = true;
    return tl::unexpected(end_of_stream());
}

std::string EventStream::banner() const {
    return greeted() ? std::string() : banner_ + std::string(lines_.pending().substr(0, kMaxBannerBytes));
}

bool EventStream::unended_line_is_too_long() const {
    const std::string_view begun = lines_.pending(); // a hello may be longer than what may precede it
    return !greeted() && begun.size() > kMaxBannerBytes && begun.find(R"("hello")") > kMaxBannerBytes;
}

Error EventStream::no_hello(const std::string& start) const {
    const std::string words = quoted_last_lines(banner(), 3);
    return {ErrorCode::io,
            words.empty() ? start + "." : fmt::format("{}; the last that it said is {}.", start, words),
            "Check that the worker's command starts quantscope-worker and prints nothing else on stdout."};
}

Error EventStream::endless_banner() const {
    return no_hello(fmt::format("The worker said no hello within its first {} KiB", kMaxBannerBytes / 1024));
}

Error EventStream::end_of_stream() const {
    if (!greeted()) {
        return no_hello("The worker ended before it said hello");
    }
    return {ErrorCode::io,
            fmt::format("The worker's stream ends in the middle of a line, after event {} and {} more bytes.",
                        last_seq_, lines_.pending_bytes()),
            "The worker or the connection to it was cut; what was stored before stays valid."};
}

Expected<std::optional<Event>> EventStream::take(const std::string& line) {
    if (!greeted()) {
        return await_hello(line);
    }
    const auto broken = [this](Error error) {
        error.message =
            fmt::format("The worker's stream is broken after event {}: {}", last_seq_, error.message);
        return tl::unexpected(std::move(error));
    };
    const Expected<std::optional<std::string>> text = unwrapper_.unwrap(line);
    if (!text) {
        return broken(text.error());
    }
    if (!*text) {
        return std::optional<Event>{};
    }
    Expected<Event> event = decode_event(**text);
    if (!event) {
        if (is_echo(**text)) {
            return std::optional<Event>{};
        }
        return broken(event.error());
    }
    if (std::holds_alternative<HelloEvent>(event->body)) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("A second worker said hello after event {} of the first.", last_seq_),
                          "Let the launcher start one worker only, for example with srun -n1.");
    }
    if (event->seq != last_seq_ + 1) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("The worker's stream has a gap: expected event {}, found event {}.",
                                      last_seq_ + 1, event->seq),
                          "Events were lost between worker and client; run it again to resume.");
    }
    last_seq_ = event->seq;
    return std::optional<Event>(*std::move(event));
}

Expected<std::optional<Event>> EventStream::await_hello(const std::string& line) {
    if (const std::optional<std::string> hello = unwrapper_.find_hello(line)) {
        return greet(*hello);
    }
    banner_ += line;
    banner_ += '\n';
    if (banner_.size() > kMaxBannerBytes) {
        return tl::unexpected(endless_banner());
    }
    return std::optional<Event>{};
}

Expected<std::optional<Event>> EventStream::greet(const std::string& hello) {
    Expected<Event> event = decode_event(hello);
    if (!event) {
        return tl::unexpected(event.error());
    }
    if (auto version = check_version(std::get<HelloEvent>(event->body).protocol); !version) {
        return tl::unexpected(version.error());
    }
    if (event->seq != 1) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("The worker's hello must be event 1, found event {}.", event->seq));
    }
    last_seq_ = 1;
    banner_.clear();
    return std::optional<Event>(*std::move(event));
}

} // namespace quantscope::protocol
