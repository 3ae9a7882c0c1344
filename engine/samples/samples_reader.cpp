// SPDX-License-Identifier: Apache-2.0
#include "engine/samples/samples_reader.h"

#include "engine/json/json_document.h"
#include "engine/json/json_lines.h"
#include "engine/json/python_json.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope::samples {
namespace {

using nlohmann::json;

constexpr std::size_t shown_reasons = 3;
constexpr std::size_t max_depth = 64; ///< printing deeper values again would exhaust the stack
constexpr const char* format_hint =
    "Samples files have one JSON object a line with task_id and completion (or solution, the whole program), "
    "or are one JSON list with a list of whole programs a problem.";
constexpr JsonLimits limits{max_depth, std::size_t{1} << 26, JsonDialect::python, format_hint};

/// The first places where something was noticed, and how often it was.
class Places {
  public:
    void add(std::size_t line) {
        ++count_;
        if (first_.size() < shown_reasons)
            first_.push_back(line);
    }
    void say(const char* what, std::vector<std::string>& notes) const {
        if (count_ > 0) {
            notes.push_back(fmt::format("{} ({} {}{})", what, count_ == 1 ? "line" : "lines",
                                        fmt::join(first_, ", "), count_ > first_.size() ? ", …" : ""));
        }
    }

  private:
    std::size_t count_ = 0;
    std::vector<std::size_t> first_;
};

class Reader {
  public:
    Reader(const std::string& file, const TaskNames& tasks, const SampleVisitor& visit)
        : file_(file), tasks_(tasks), visit_(visit) {}

    Expected<ReadReport> read(std::string_view text) {
        const std::size_t start = text.find_first_not_of(" \t\r\n");
        if (start != std::string_view::npos && text[start] == '[') {
            if (auto read = read_list(text); !read)
                return tl::unexpected(read.error());
        } else {
            read_lines(text);
        }
        if (report_.samples == 0)
            return nothing_read();
        surrogates_.say("a lone surrogate escape was read as U+FFFD", report_.notes);
        twice_.say("a key that was read comes twice; the last one counts, as in Python", report_.notes);
        return std::move(report_);
    }

  private:
    void read_lines(std::string_view text) {
        static_cast<void>(for_each_line(text, [this](std::string_view line, std::size_t number) {
            FileSample sample;
            sample.where = fmt::format("{}, line {}", file_, number);
            sample.line = line;
            notice(line, number);
            const auto object = parse_json_object(line, sample.where, limits);
            if (object)
                take(read_object(std::move(sample), *object));
            else
                take(tl::unexpected(object.error()));
            return Expected<>();
        }));
    }

    void notice(std::string_view line, std::size_t number) {
        if (plain_json(line).replaced_surrogates)
            surrogates_.add(number);
        const auto members = json_members(line);
        for (const std::string_view key : {R"("task_id")", R"("completion")", R"("solution")"}) {
            if (std::count_if(members.begin(), members.end(),
                              [&](const JsonMember& member) { return member.key == key; }) > 1)
                return twice_.add(number);
        }
    }

    Expected<> read_list(std::string_view text) {
        auto list = parse_json(text, file_, limits);
        if (!list)
            return tl::unexpected(list.error());
        const bool generations =
            std::any_of(list->begin(), list->end(), [](const json& entry) { return !entry.is_object(); });
        if (generations && list->size() > tasks_.size()) {
            return make_error(
                ErrorCode::bad_input,
                fmt::format("{}: expected a list of at most {} lists of programs, one a problem, found {}.",
                            file_, tasks_.size(), list->size()),
                "Use the problem file that the programs were generated from.");
        }
        for (std::size_t i = 0; i < list->size(); ++i) {
            FileSample sample;
            sample.where = fmt::format("{}, entry {}", file_, i + 1);
            if (generations)
                read_generations(sample, i, (*list)[i]);
            else
                take(read_object(std::move(sample), (*list)[i]));
        }
        return {};
    }

    void read_generations(const FileSample& place, std::size_t task, const json& programs) {
        if (!programs.is_array()) {
            return take(
                make_error(ErrorCode::bad_input, fmt::format("{}: expected a list of programs, found {}.",
                                                             place.where, describe(programs))));
        }
        for (const json& program : programs) {
            FileSample sample = place;
            sample.task = task;
            sample.task_id = tasks_.name(task);
            sample.whole_program = true;
            take(read_code(std::move(sample), program, "program").and_then([this](FileSample read) {
                return visit_(std::move(read), json::object());
            }));
        }
    }

    Expected<> read_object(FileSample sample, const json& object) {
        auto task_id = task_id_text(object, sample.where);
        if (!task_id)
            return tl::unexpected(task_id.error());
        sample.task = tasks_.find(*task_id);
        sample.task_id = sample.task ? tasks_.name(*sample.task) : std::move(*task_id);
        const auto solution = object.find("solution");
        const auto completion = object.find("completion");
        if (solution == object.end() && completion == object.end()) {
            return make_error(
                ErrorCode::bad_input,
                fmt::format("{}: 'completion': expected a string or null (or a 'solution'), found "
                            "nothing.",
                            sample.where));
        }
        sample.whole_program =
            solution != object.end() && (completion == object.end() || !solution->is_null());
        const char* key = sample.whole_program ? "solution" : "completion";
        return read_code(std::move(sample), object.at(key), key).and_then([&](FileSample read) {
            return visit_(std::move(read), object);
        });
    }

    static Expected<FileSample> read_code(FileSample sample, const json& code, const char* key) {
        if (!code.is_string() && !code.is_null()) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("{}: '{}': expected a string or null, found {}.", sample.where, key,
                                          describe(code)));
        }
        sample.missing = code.is_null();
        if (code.is_string())
            sample.code = code.get_ref<const std::string&>();
        return sample;
    }

    void take(const Expected<>& read) {
        if (read) {
            ++report_.samples;
            return;
        }
        ++report_.set_aside.lines;
        if (report_.set_aside.first.size() < shown_reasons)
            report_.set_aside.first.push_back(read.error().message);
        if (first_hint_.empty())
            first_hint_ = read.error().hint;
    }

    Expected<ReadReport> nothing_read() const {
        const std::string reasons = fmt::format("{}", fmt::join(report_.set_aside.first, " "));
        return make_error(ErrorCode::bad_input,
                          reasons.empty() ? fmt::format("{}: holds no sample.", file_)
                                          : fmt::format("{}: holds no sample: {}", file_, reasons),
                          first_hint_.empty() ? format_hint : first_hint_);
    }

    const std::string& file_;
    const TaskNames& tasks_;
    const SampleVisitor& visit_;
    ReadReport report_;
    Places surrogates_;
    Places twice_;
    std::string first_hint_;
};

} // namespace

Expected<ReadReport> read_samples(std::string_view text, const std::string& file, const TaskNames& tasks,
                                  const SampleVisitor& visit) {
    return Reader(file, tasks, visit).read(text);
}

std::string set_aside_sentence(const SetAside& set_aside, const std::string& file) {
    if (set_aside.lines == 0)
        return {};
    return fmt::format("{} {} of {} {} set aside: {}{}", set_aside.lines,
                       set_aside.lines == 1 ? "line" : "lines", file, set_aside.lines == 1 ? "was" : "were",
                       fmt::join(set_aside.first, " "), set_aside.lines > set_aside.first.size() ? " …" : "");
}

} // namespace quantscope::samples
