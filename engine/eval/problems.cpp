// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/problems.h"

#include "engine/files/input_file.h"
#include "engine/json/json_fields.h"
#include "engine/json/json_lines.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unordered_map>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace quantscope::eval {
namespace {

constexpr const char* format_hint =
    "Problem files have one JSON object a line with the string keys task_id, prompt, "
    "entry_point, canonical_solution and test, as in OpenAI's HumanEval.jsonl.gz.";

constexpr std::array<std::string_view, 35> python_keywords = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

constexpr JsonLimits limits{64, std::size_t{1} << 26, JsonDialect::python, format_hint};

Expected<Problem> parse_problem(std::string_view line, const std::string& where) {
    const auto object = parse_json_object(line, where, limits);
    if (!object)
        return tl::unexpected(object.error());
    Problem problem;
    JsonFields fields(*object, where, {}, format_hint);
    fields.text("task_id", problem.task_id);
    fields.text("prompt", problem.prompt);
    fields.text("entry_point", problem.entry_point);
    fields.text("canonical_solution", problem.canonical_solution);
    fields.text("test", problem.test);
    if (fields.result() && problem.task_id.empty())
        fields.fail("task_id", "a name", &object->at("task_id"));
    if (fields.result() && !is_python_identifier(problem.entry_point))
        fields.fail("entry_point", "a Python function name", &object->at("entry_point"));
    if (!fields.result())
        return tl::unexpected(fields.result().error());
    return problem;
}

} // namespace

Expected<std::vector<Problem>> read_problems(const std::filesystem::path& file) {
    auto text = read_text_file(file, max_problem_file_bytes);
    if (!text)
        return tl::unexpected(text.error());
    std::vector<Problem> problems;
    std::unordered_map<std::string, std::size_t> line_of_task;
    auto walked = for_each_line(*text, [&](std::string_view line, std::size_t number) -> Expected<> {
        const std::string where = fmt::format("{}, line {}", file.string(), number);
        auto problem = parse_problem(line, where);
        if (!problem)
            return tl::unexpected(problem.error());
        const auto [it, fresh] = line_of_task.emplace(problem->task_id, number);
        if (!fresh) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("{}: task_id \"{}\" was already used on line {}.", where,
                                          problem->task_id, it->second));
        }
        problems.push_back(std::move(*problem));
        return {};
    });
    if (walked && problems.empty())
        walked = make_error(ErrorCode::bad_input, fmt::format("{}: holds no problem.", file.string()));
    if (!walked) {
        Error error = walked.error();
        if (error.hint.empty())
            error.hint = format_hint;
        return tl::unexpected(std::move(error));
    }
    return problems;
}

std::string problems_hash(std::span<const Problem> problems) {
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    const auto add = [&state](const std::string& text) {
        // The length goes first, so that text moving from one field to the next changes the hash.
        std::array<unsigned char, 8> length{};
        for (std::size_t i = 0; i < length.size(); ++i)
            length[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(text.size()) >> (8 * i));
        XXH3_128bits_update(&state, length.data(), length.size());
        XXH3_128bits_update(&state, text.data(), text.size());
    };
    for (const Problem& problem : problems) {
        add(problem.task_id);
        add(problem.prompt);
        add(problem.entry_point);
        add(problem.test);
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(&state);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

bool is_python_identifier(std::string_view text) {
    if (text.empty() || !is_name_start(text.front()))
        return false;
    const bool plain = std::all_of(text.begin(), text.end(),
                                   [](char c) { return is_name_start(c) || (c >= '0' && c <= '9'); });
    return plain && std::find(python_keywords.begin(), python_keywords.end(), text) == python_keywords.end();
}

} // namespace quantscope::eval
