// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope::eval {

/// One programming problem in the OpenAI HumanEval format (github.com/openai/human-eval).
/// All text is UTF-8 and untrusted: `test` and `canonical_solution` are code and run only in the sandbox.
struct Problem {
    std::string task_id;            ///< "HumanEval/0"; unique in its file, never empty
    std::string prompt;             ///< imports, signature and docstring, trailing newline included
    std::string entry_point;        ///< the function that check() calls; a Python identifier
    std::string canonical_solution; ///< the function's body, to be appended to `prompt`
    std::string test;               ///< defines `check(candidate)`
};

/// Largest unpacked problem file: HumanEval is 0.2 MiB, and a 256 KiB gzip bomb unpacks to this.
inline constexpr std::size_t max_problem_file_bytes = std::size_t{256} << 20;

/// Reads a problem file, `.jsonl` or gzip-compressed (told by its magic, not by its name), in file order.
/// Blank lines are skipped; other keys may hold whatever Python writes. Errors (bad_input, io) name file,
/// line and key: broken JSON, a missing key, a value that is not a string, an empty or repeated task_id, an
/// entry_point that is no identifier, no problem at all, truncated or oversized (256 MiB unpacked)
/// compression.
[[nodiscard]] Expected<std::vector<Problem>> read_problems(const std::filesystem::path& file);

/// Identity of a problem list for resume: XXH3-128 over task_id, prompt, entry_point and test of each problem
/// in order, as 32 hexadecimal digits. canonical_solution has no influence on verdicts and is left out.
[[nodiscard]] std::string problems_hash(std::span<const Problem> problems);

/// Whether `text` may stand before "(" as a plain Python name: an ASCII identifier that is no keyword.
[[nodiscard]] bool is_python_identifier(std::string_view text);

} // namespace quantscope::eval
