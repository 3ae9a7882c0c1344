// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quantscope {

/// Text of unknown origin (a remote host's log, a login banner) as one line that is safe to show in a
/// terminal, a label or a message: without escape sequences, control and direction-changing characters; runs
/// of blanks are one, U+FFFD stands for what is not UTF-8. At most `max_bytes`, cut between characters with
/// "…" at the end.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = 400);

/// The last `count` lines of `text` that show something, each as printable() has it and in quotes:
/// "\"first\", \"second\"". What a terminal would have overwritten after a '\r' is left out. Empty: nothing
/// to show.
[[nodiscard]] std::string quoted_last_lines(std::string_view text, std::size_t count);

} // namespace quantscope
