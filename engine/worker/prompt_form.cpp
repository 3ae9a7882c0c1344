// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/prompt_form.h"

#include <algorithm>

namespace quantscope::worker {

std::string_view stripped(std::string_view prompt) {
    const std::size_t last = prompt.find_last_not_of(" \t\r\n");
    return last == std::string_view::npos ? prompt : prompt.substr(0, last + 1);
}

Expected<PromptBoundaries> count_boundaries(const Tokenizer& tokenizer,
                                            std::span<const eval::Problem> problems) {
    PromptBoundaries boundaries;
    for (const eval::Problem& problem : problems) {
        if (problem.canonical_solution.empty()) {
            continue;
        }
        const auto whole = tokenizer.encode_prompt(problem.prompt + problem.canonical_solution);
        const auto raw = tokenizer.encode_prompt(problem.prompt);
        const auto short_one = tokenizer.encode_prompt(stripped(problem.prompt));
        for (const auto* ids : {&whole, &raw, &short_one}) {
            if (!*ids) {
                return tl::unexpected(ids->error());
            }
        }
        const auto begins_with = [&](const std::vector<std::int32_t>& ids) {
            return ids.size() <= whole->size() && std::equal(ids.begin(), ids.end(), whole->begin());
        };
        ++boundaries.problems;
        boundaries.raw += begins_with(*raw) ? 1 : 0;
        boundaries.stripped += begins_with(*short_one) ? 1 : 0;
    }
    return boundaries;
}

bool is_stripped(std::string_view form, const PromptBoundaries& boundaries) {
    return form == "stripped" || (form == "auto" && boundaries.stripped > boundaries.raw);
}

std::string behind_raw_prompt(std::string_view prompt, std::string completion) {
    const std::string_view removed = prompt.substr(stripped(prompt).size());
    return completion.starts_with(removed) ? completion.substr(removed.size()) : completion;
}

} // namespace quantscope::worker
