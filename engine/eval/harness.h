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

/// Modules of the standard library that hand out raw pointers, and other interpreters, which would run
/// without the harness's audit hook: the harness refuses their names, sandbox_layout.cpp covers their files.
[[nodiscard]] bool is_hidden_module(std::string_view name);

} // namespace quantscope::eval
