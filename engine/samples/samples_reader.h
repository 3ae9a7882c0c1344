// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/samples/task_names.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

/// Samples files of the HumanEval tools, as they are found in the field:
///   human-eval  one object a line with task_id and completion (a function's body, to follow the prompt)
///   evalplus    the same with solution, the whole program, which wins where both are there
///   bigcode     one JSON list with, in the problem file's order, a list of whole programs a problem
///   also        a JSON list of such objects, task_id as a number, completion null
/// All as Python's json writes them (JsonDialect::python), in UTF-8.
namespace quantscope::samples {

/// Largest unpacked samples file: 164 problems x 200 samples of 4 KiB are 0.13 GiB.
inline constexpr std::size_t max_samples_bytes = std::size_t{1} << 30;

struct FileSample {
    std::string where;               ///< "FILE, line 3"; starts messages about this sample
    std::string task_id;             ///< as the problem file has it, where it is one of `tasks`
    std::optional<std::size_t> task; ///< its index in `tasks`
    std::string code;                ///< the completion or, with `whole_program`, all of the program
    bool whole_program = false;
    bool missing = false;  ///< the file says null: the sample failed, whatever its tests are
    std::string_view line; ///< the object as written, into the text; empty: the file has none
};

/// Lines that are no samples. One of them never costs the others.
struct SetAside {
    std::size_t lines = 0;
    std::vector<std::string> first; ///< sentences with file and line, of the first few
};

/// What else a reader noticed; each is a sentence with the first places.
struct ReadReport {
    std::size_t samples = 0;
    SetAside set_aside;
    std::vector<std::string> notes;
};

/// Takes one sample and the other members of its object. An error sets the line aside.
using SampleVisitor = std::function<Expected<>(FileSample sample, const nlohmann::json& fields)>;

/// Calls `visit` for every sample of `text`, in order.
/// @param tasks  the problem file's; a task_id that is not among them is kept as it is, without an index
/// Errors (bad_input): no sample at all, more lists than problems.
[[nodiscard]] Expected<ReadReport> read_samples(std::string_view text, const std::string& file,
                                                const TaskNames& tasks, const SampleVisitor& visit);

/// "2 lines of FILE are no samples and were set aside: …" with the first reasons; empty when there are none.
[[nodiscard]] std::string set_aside_sentence(const SetAside& set_aside, const std::string& file);

} // namespace quantscope::samples
