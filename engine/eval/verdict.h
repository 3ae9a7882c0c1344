// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/sandbox.h"

#include <optional>
#include <string>
#include <string_view>

namespace quantscope::eval {

enum class VerdictKind {
    passed,    ///< check() returned, proven by the sample's nonce
    failed,    ///< the program raised: an assertion, any other exception, SystemExit, a syntax error
    timed_out, ///< still running at the wall limit, or out of CPU time; after the rerun alone
    error, ///< ended without finishing check() and without an exception: os._exit, a signal, too much output
    unscored, ///< not run to an end: no sandbox, or cancelled. Says nothing about the program
};

/// In which way a program is run against its test.
enum class Judging {
    together, ///< in one interpreter with its test: a pass is worth what the interpreter's guard is
    apart,    ///< in a process of its own, the test in another: a pass is proof (sandbox.h)
};

[[nodiscard]] const char* to_string(Judging judging); ///< "together", "apart"
[[nodiscard]] std::optional<Judging> judging_of(std::string_view word);

/// What the canonical solution showed about a problem (canonical_check.h).
struct ProblemCheck {
    std::optional<Judging> judging = Judging::together; ///< unset: samples cannot be judged here
    std::string reason;                                 ///< why not
};

/// The verdict on samples of a problem that cannot be judged here.
[[nodiscard]] std::string unjudged_detail(const ProblemCheck& check);

/// What is said of a pass that is not proven; `reason`: why the test did not run apart, if it was tried.
[[nodiscard]] std::string unproven_detail(const std::string& reason);

/// The name on the wire and in files: "passed", "failed", "timed_out", "error", "unscored".
[[nodiscard]] const char* to_string(VerdictKind kind);

struct Verdict {
    VerdictKind kind = VerdictKind::unscored;
    /// One line of valid UTF-8: the exception's last line or why, with the limit of the sandbox that was met,
    /// if any. Of a pass: that it is not proven, and why; empty when it is.
    std::string detail;
    bool proven = false;  ///< passed apart from its test
    std::string output;   ///< end of what the program printed (stdout and stderr), valid UTF-8
    double wall_ms = 0.0; ///< of the run that counts
    int attempts = 0;     ///< 2 when a timeout was rerun
};

/// What an outcome means. `wall_limit` only words the detail of a timeout.
[[nodiscard]] Verdict judge(const SandboxOutcome& outcome, const SandboxConfig& config,
                            std::chrono::milliseconds wall_limit);

/// Makes untrusted bytes printable and storable: invalid UTF-8 becomes U+FFFD, control characters other than
/// newline and tab become U+FFFD, at most `max_bytes` are kept (cut at a character).
[[nodiscard]] std::string clean_text(std::string_view bytes, std::size_t max_bytes);

} // namespace quantscope::eval
