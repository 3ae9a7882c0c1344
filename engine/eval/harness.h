// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace quantscope::eval {

/// Descriptors of a harness inside the sandbox, beside stdin (/dev/null), stdout and stderr (one capped
/// pipe).
inline constexpr int harness_input_fd = 3;  ///< the nonce, then the verdict program
inline constexpr int harness_result_fd = 4; ///< what happened, see below
inline constexpr int nonce_bytes = 32;

/// The Python programs that run inside the sandbox are the files of engine/eval/harness/, built in; their
/// names are without ".py".
[[nodiscard]] std::string_view harness_part(std::string_view name);

/// The program that runs a verdict program, test included, in one interpreter. On descriptor 4 it writes "S"
/// when it starts, then either the nonce (check() returned) or "E" and the exception's last line; nothing
/// more if the program ends the interpreter itself. `max_threads`: beside the main one.
[[nodiscard]] std::string together_harness(int max_threads);

/// The two halves of a program run apart from its test (harness/judged.py, harness/checker.py). Both write
/// "S" on descriptor 4 when they start, and "E" with the exception's last line. The checker may write the
/// nonce (the test passed), "D" (the judged process is gone), "U" and why a value could not be sent, and "C"
/// before "E" where a value was sent as one of its base type. 6 and 7 are the channel between them.
[[nodiscard]] std::string judged_harness(int max_threads);
[[nodiscard]] std::string checker_harness(int max_threads);

/// Modules of the standard library that hand out raw pointers, and other interpreters, which would run
/// without the harness's audit hook: the harness refuses their names, sandbox_layout.cpp covers their files.
[[nodiscard]] bool is_hidden_module(std::string_view name);

} // namespace quantscope::eval
