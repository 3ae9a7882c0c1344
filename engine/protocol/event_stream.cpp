// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/event_stream.h"

#include "engine/protocol/field_reader.h"

#include <fmt/format.h>

namespace quantscope::protocol {
namespace {

/// Whether a line before `hello` is that hello, whatever its version.
bool is_hello(const std::string& line) {
    if (line.find("hello") == std::string::npos) {
        return false;
    }
    const Json object = Json::parse(line, nullptr, false);
    if (!object.is_object()) {
        return false;
    }
    const auto name = object.find("event");
    return name != object.end() && *name == "hello";
}

/// The last line of what was said before `hello`, printable: usually the reason why none came.
std::string last_words(const std::string& banner) {
    std::size_t end = banner.find_last_not_of("\r\n \t");
    if (end == std::string::npos) {
        return {};
    }
    const std::size_t newline = banner.rfind('\n', end);
    const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
    const Json text = banner.substr(begin, std::min<std::size_t>(end + 1 - begin, 200));
    return text.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Error no_hello(const std::string& start, const std::string& banner) {
    const std::string words = last_words(banner);
    return {ErrorCode::io,
            words.empty() ? start + "." : fmt::format("{}; its last line was {}.", start, words),
            "Check that the worker's command starts quantscope-worker and prints nothing else on stdout."};
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
    if (failed_ || !finished_ || (greeted() && lines_.pending_bytes() == 0)) {
        return std::nullopt;
    }
    failed_ = true;
    return tl::unexpected(end_of_stream());
}

Error EventStream::end_of_stream() const {
    if (!greeted()) {
        return no_hello("The worker ended before it said hello", banner_);
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
    Expected<Event> event = decode_event(line);
    if (!event) {
        Error error = event.error();
        error.message =
            fmt::format("The worker's stream is broken after event {}: {}", last_seq_, error.message);
        return tl::unexpected(std::move(error));
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
    if (!is_hello(line)) {
        banner_ += line;
        banner_ += '\n';
        if (banner_.size() > kMaxBannerBytes) {
            return tl::unexpected(no_hello(
                fmt::format("The worker said no hello within its first {} KiB", kMaxBannerBytes / 1024),
                banner_));
        }
        return std::optional<Event>{};
    }
    Expected<Event> event = decode_event(line);
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
    return std::optional<Event>(*std::move(event));
}

} // namespace quantscope::protocol
