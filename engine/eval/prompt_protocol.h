// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/problems.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// How a problem becomes a prompt and a completion becomes a program: the protocol that reproduces Meta's and
/// Code Llama's HumanEval numbers. The prompt is fed after one BOS, raw (trailing newline kept) or stripped,
/// as the run's form says (engine/worker/prompt_form.h, stored with the campaign); the completion is
/// decode(prompt + continuation) minus the prompt, never the continuation decoded alone.
namespace quantscope::eval {

/// Part of the resume identity: raise the number when anything here changes what a completion or verdict can
/// be.
inline constexpr std::string_view prompt_protocol_id = "humaneval-raw-greedy-stops/1";
inline constexpr int default_max_new_tokens = 512;

/// Generation ends where one of these appears in the continuation; the completion is cut before it.
[[nodiscard]] std::span<const std::string_view> stop_strings();
/// Bytes of the longest stop string: after new text, a search may start this much (less one) before it.
[[nodiscard]] std::size_t longest_stop_bytes();

/// Byte offset of the earliest stop string that starts at or after `from`; nothing if there is none.
[[nodiscard]] std::optional<std::size_t> find_stop(std::string_view text, std::size_t from = 0);

/// `text` up to its first stop string; all of it if there is none.
[[nodiscard]] std::string_view cut_at_stop(std::string_view text);

/// prompt + completion + "\n" + test + "\n" + check(entry_point).
[[nodiscard]] std::string verdict_program(const Problem& problem, std::string_view completion);

} // namespace quantscope::eval
