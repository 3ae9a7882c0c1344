// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/prompt_protocol.h"

#include <algorithm>
#include <array>

namespace quantscope::eval {
namespace {
constexpr std::array<std::string_view, 8> stops = {"\nclass", "\ndef", "\n#",   "\n@",
                                                   "\nprint", "\nif",  "\n```", "<file_sep>"};
} // namespace

std::span<const std::string_view> stop_strings() {
    return stops;
}

std::size_t longest_stop_bytes() {
    return std::max_element(stops.begin(), stops.end(), [](auto a, auto b) { return a.size() < b.size(); })
        ->size();
}

std::optional<std::size_t> find_stop(std::string_view text, std::size_t from) {
    std::size_t first = std::string_view::npos;
    for (const std::string_view stop : stops)
        first = std::min(first, text.find(stop, from));
    return first == std::string_view::npos ? std::nullopt : std::optional(first);
}

std::string_view cut_at_stop(std::string_view text) {
    return text.substr(0, find_stop(text).value_or(text.size()));
}

std::string verdict_program(const Problem& problem, std::string_view completion) {
    std::string program;
    program.reserve(problem.prompt.size() + completion.size() + problem.test.size() +
                    problem.entry_point.size() + 16);
    program += problem.prompt;
    program += completion;
    program += '\n';
    program += problem.test;
    program += "\ncheck(";
    program += problem.entry_point;
    program += ')';
    return program;
}

} // namespace quantscope::eval
