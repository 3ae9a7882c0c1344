// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/messages.h"

#include <string>
#include <string_view>
#include <vector>

namespace quantscope::protocol {

/// One line, '\n' included, never longer than kMaxLineBytes and always valid UTF-8: broken bytes become
/// U+FFFD, the longest texts are cut (with a note in them) until the line fits, and what cannot be cut
/// (numbers) is replaced by an `error` of the same run that says so.
[[nodiscard]] std::string encode_event(const Event& event);

/// As encode_event(), but a request is never cut. Errors: bad_input (longer than kMaxLineBytes).
[[nodiscard]] Expected<std::string> encode_request(const Request& request);

/// Reads one line (without or with its '\n'). Unknown fields are ignored, an unknown event is UnknownEvent.
/// Errors: bad_input, naming event, field, expected and found. The version of `hello` is not judged here.
[[nodiscard]] Expected<Event> decode_event(std::string_view line);

/// Reads one line and checks ranges. Errors: bad_input, naming request, field, expected and found.
[[nodiscard]] Expected<Request> decode_request(std::string_view line);

/// Who waits for an answer to a request that decode_request() refused.
struct RefusedRequest {
    std::string name;              ///< "eval"; empty when unreadable
    std::vector<std::string> runs; ///< the runs it would have made
};
[[nodiscard]] RefusedRequest peek_request(std::string_view line);

/// Whether this build can follow a worker of that protocol version. Errors: unsupported.
[[nodiscard]] Expected<> check_version(std::int64_t version);

/// ErrorCode of a wire name ("oom"); internal when unknown.
[[nodiscard]] ErrorCode error_code_from(std::string_view name);

} // namespace quantscope::protocol
