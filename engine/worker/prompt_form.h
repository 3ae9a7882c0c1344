// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/problems.h"
#include "engine/model/tokenizer.h"

#include <span>
#include <string>
#include <string_view>

namespace quantscope::worker {

/// A prompt is best given so that its ids are the beginning of the ids of prompt and solution: otherwise the
/// model is asked to go on from tokens that it never saw at such a place, and scores far too low. Whether
/// HumanEval's trailing newline is in the way depends on the tokenizer.

/// The prompt without the white space at its end.
std::string_view stripped(std::string_view prompt);

/// Of how many problems the prompt's ids are a prefix of the ids of prompt and canonical solution.
struct PromptBoundaries {
    int problems = 0; ///< those that have a solution
    int raw = 0;      ///< with the prompt as it is in the file
    int stripped = 0; ///< without the white space at its end
};
/// Errors: those of the tokenizer.
Expected<PromptBoundaries> count_boundaries(const Tokenizer& tokenizer,
                                            std::span<const eval::Problem> problems);

/// Whether prompts are stripped, for a form "raw", "stripped" or "auto": the one that keeps more, raw where
/// both keep the same.
bool is_stripped(std::string_view form, const PromptBoundaries& boundaries);

/// A completion of the stripped prompt as one of the raw prompt: the white space that was taken away is
/// expected first. Where the model goes on in another way the completion stays what it is.
std::string behind_raw_prompt(std::string_view prompt, std::string completion);

} // namespace quantscope::worker
