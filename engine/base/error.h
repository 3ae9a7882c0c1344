// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace quantscope {

/// What kind of thing went wrong; the command line's exit code follows from it (see exit_code()).
enum class ErrorCode {
    bad_input,           ///< a file or request that is not what it claims to be
    io,                  ///< the operating system refused (missing file, full disk, permission)
    unsupported,         ///< valid, but not something this build or backend can do
    out_of_memory,       ///< host or device memory; the message gives bytes needed and free
    device,              ///< a CUDA or driver failure
    sandbox_unavailable, ///< verdicts cannot be computed safely here
    cancelled,
    internal, ///< a defect of ours
};

/// An error as a value, worded for a person.
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message; ///< one sentence: what, where, expected, found
    std::string hint;    ///< what to do about it; may be empty
};

template<class T = void>
using Expected = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> make_error(ErrorCode code, std::string message,
                                                      std::string hint = {}) {
    return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint)});
}

/// The name on the wire: "bad_input", "io", "oom", ...
[[nodiscard]] const char* to_string(ErrorCode code);

/// Process exit code (command line contract): 0 done, 1 run failed, 2 usage, 3 bad input, 4 cancelled,
/// 5 nothing could be scored.
[[nodiscard]] int exit_code(ErrorCode code);

} // namespace quantscope
