// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/unwrapper.h"

#include "engine/base/printable.h"
#include "engine/protocol/message_object.h"

#include <algorithm>
#include <fmt/format.h>

namespace quantscope::protocol {
namespace {

/// How encode_event() begins; inside a line only this is looked for.
constexpr std::string_view kEventStart = R"({"event":")";
constexpr std::string_view kHelloStart = R"({"event":"hello")";
constexpr int kMaxTries = 16; ///< of one line, so that a hostile one costs no more than its length times this

/// Whether the text is a `hello`, whatever its version.
bool is_hello(const std::string& text) {
    if (text.find("hello") == std::string::npos) {
        return false;
    }
    const Json object = message_object(text);
    if (!object.is_object()) {
        return false;
    }
    const auto name = object.find("event");
    return name != object.end() && *name == "hello";
}

bool shows_something(std::string_view text) {
    return !printable(text).empty();
}

} // namespace

std::optional<std::size_t> ObjectEnd::feed(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string_) {
            in_string_ = escaped_ || c != '"';
            escaped_ = !escaped_ && c == '\\';
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{') {
            ++depth_;
        } else if (c == '}' && depth_ > 0 && --depth_ == 0) {
            return i + 1;
        }
    }
    return std::nullopt;
}

std::optional<std::string> Unwrapper::find_hello(const std::string& line) {
    if (std::optional<std::string> hello = whole_hello(line)) {
        pieces_.clear();
        return hello;
    }
    if (in_pieces() && has_label(line)) {
        return continue_hello(std::string_view(line).substr(label_.size()));
    }
    pieces_.clear(); // it was none: its next line would have had the label
    const std::size_t at = line.find(kHelloStart);
    if (at != std::string::npos && at > 0) {
        label_ = line.substr(0, at);
        label_is_known_ = false;
        pieces_ = line.substr(at);
        pieces_end_ = {};
        static_cast<void>(pieces_end_.feed(pieces_));
    }
    return std::nullopt;
}

bool Unwrapper::has_label(const std::string& line) {
    if (label_.empty() || line.starts_with(label_)) {
        return !label_.empty();
    }
    if (label_is_known_) {
        return false;
    }
    // A banner without a line end may stand between the label and `hello`: the label is what both begin with.
    const auto common =
        std::mismatch(label_.begin(), label_.end(), line.begin(), line.end()).first - label_.begin();
    const std::size_t space = label_.substr(0, static_cast<std::size_t>(common)).find_last_of(" \t");
    if (space == std::string::npos) {
        return false;
    }
    label_.resize(space + 1);
    label_is_known_ = true;
    return true;
}

std::optional<std::string> Unwrapper::whole_hello(const std::string& line) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start != std::string::npos && line[start] == '{' && is_hello(line)) {
        return line;
    }
    std::size_t at = line.find(kHelloStart);
    for (int tries = 0; at != std::string::npos && tries < kMaxTries; ++tries) {
        const std::string_view rest = std::string_view(line).substr(at);
        ObjectEnd object;
        const std::size_t end = object.feed(rest).value_or(0);
        if (std::string text(rest.substr(0, end)); is_hello(text)) {
            label_ = line.substr(0, at);
            bare_ = label_.empty() && rest.size() == end;
            return text;
        }
        at = line.find(kHelloStart, at + 1);
    }
    return std::nullopt;
}

std::optional<std::string> Unwrapper::continue_hello(std::string_view piece) {
    auto whole = add_piece(piece);
    if (!whole) {
        pieces_.clear(); // far too long for any hello
        return std::nullopt;
    }
    if (!*whole || !is_hello(**whole)) {
        return std::nullopt;
    }
    bare_ = false;
    return std::move(*whole);
}

Expected<std::optional<std::string>> Unwrapper::add_piece(std::string_view piece) {
    const auto end = pieces_end_.feed(piece);
    pieces_ += piece.substr(0, end.value_or(piece.size()));
    if (pieces_.size() > kMaxLineBytes) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("A protocol line is longer than {} bytes.", kMaxLineBytes));
    }
    if (!end) {
        return std::optional<std::string>{};
    }
    pieces_end_ = {};
    std::string whole = std::move(pieces_);
    pieces_.clear();
    if (shows_something(piece.substr(*end))) {
        whole += piece.substr(*end); // what follows is no part of the protocol: decoding names it
    }
    return std::optional<std::string>(std::move(whole));
}

Expected<std::optional<std::string>> Unwrapper::unwrap(std::string line) {
    if (bare_) {
        return std::optional<std::string>(std::move(line));
    }
    const bool labelled = has_label(line);
    std::string_view body = line;
    if (labelled) {
        body.remove_prefix(label_.size());
    }
    if (in_pieces()) {
        if (!labelled) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("Inside an event, expected its next piece after {}, found \"{}\".",
                                          quoted_last_lines(label_, 1), printable(line, 80)),
                              "Start the worker without labels before its lines, and alone: srun -n1.");
        }
        return add_piece(body);
    }
    if (labelled && !shows_something(body)) {
        return std::optional<std::string>{}; // a line end that became a message of its own
    }
    if (!body.starts_with('{')) { // a label that changes, such as a time
        const std::size_t at = line.find(kEventStart);
        body = at == std::string::npos ? body : std::string_view(line).substr(at);
    }
    if (!body.starts_with('{')) {
        return std::optional<std::string>(std::move(line)); // decoding names what was found
    }
    if (labelled) {
        return add_piece(body);
    }
    ObjectEnd object;
    const auto end = object.feed(body);
    const bool clean = end && !shows_something(body.substr(*end));
    return std::optional<std::string>(std::string(clean ? body.substr(0, *end) : body));
}

} // namespace quantscope::protocol
