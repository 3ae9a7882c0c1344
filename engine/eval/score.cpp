// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/score.h"

#include "engine/eval/canonical_check.h"
#include "engine/eval/pass_at_k.h"
#include "engine/files/input_file.h"
#include "engine/files/output_file.h"
#include "engine/json/python_json.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

namespace quantscope::eval {
namespace {

struct Sample {
    std::string_view line; ///< into the file's text; empty: the file has no object for it
    std::size_t problem = 0;
    std::string code;
    bool whole_program = false;
    bool missing = false;
    Verdict verdict;
};

struct Samples {
    std::vector<Sample> list;
    samples::ReadReport report;
};

samples::TaskNames names_of(const std::vector<Problem>& problems) {
    std::vector<std::string> names;
    names.reserve(problems.size());
    for (const Problem& problem : problems)
        names.push_back(problem.task_id);
    return samples::TaskNames(std::move(names));
}

Expected<Samples> parse_samples(const std::vector<Problem>& problems, const std::string& file,
                                const std::string& text) {
    Samples read;
    auto report = samples::read_samples(
        text, file, names_of(problems), [&](samples::FileSample sample, const nlohmann::json&) -> Expected<> {
            if (!sample.task) {
                return make_error(ErrorCode::bad_input,
                                  fmt::format("{}: task_id \"{}\" is not in the problem file.", sample.where,
                                              clean_text(sample.task_id, 80)),
                                  "Score samples against the problem file that they were generated from.");
            }
            read.list.push_back({sample.line,
                                 *sample.task,
                                 std::move(sample.code),
                                 sample.whole_program,
                                 sample.missing,
                                 {}});
            return {};
        });
    if (!report)
        return tl::unexpected(report.error());
    read.report = *std::move(report);
    return read;
}

/// What a whole program is judged with: it has the prompt already.
Problem without_prompt(Problem problem) {
    problem.canonical_solution.insert(0, problem.prompt); // which the test's own names come from
    problem.prompt.clear();
    return problem;
}

/// Of the problems that have samples; the others count as judged.
Expected<std::vector<ProblemCheck>> check_attempted(VerdictPool& pool, const Sandbox& sandbox,
                                                    const std::vector<Problem>& problems,
                                                    const std::vector<Sample>& samples,
                                                    const ScoreOptions& options) {
    std::set<std::size_t> attempted;
    for (const Sample& sample : samples)
        attempted.insert(sample.problem);
    std::vector<Problem> checked;
    for (const std::size_t i : attempted)
        checked.push_back(problems[i]);
    CanonicalCheckOptions check_options;
    check_options.cache = options.canonical_cache;
    check_options.on_progress = options.on_check;
    check_options.cancelled = [&] { return options.cancel != nullptr && *options.cancel; };
    auto found = check_canonical_solutions(pool, sandbox, checked, check_options);
    if (!found)
        return found;
    std::vector<ProblemCheck> checks(problems.size());
    auto next = found->begin();
    for (const std::size_t i : attempted)
        checks[i] = std::move(*next++);
    return checks;
}

/// False if cancelled.
bool run_all(VerdictPool& pool, const std::vector<Problem>& problems, const std::vector<ProblemCheck>& checks,
             std::vector<Sample>& samples, const ScoreOptions& options) {
    const int total = static_cast<int>(samples.size());
    const auto report = [&](std::size_t pending) {
        if (options.on_progress)
            options.on_progress(total - static_cast<int>(pending), total);
    };
    for (Sample& sample : samples) {
        const Problem& problem = problems[sample.problem];
        const ProblemCheck& check = checks[sample.problem];
        if (sample.missing && check.judging) {
            sample.verdict.kind = VerdictKind::failed;
            sample.verdict.detail = "no completion: the samples file says null";
            continue;
        }
        const auto keep = [&sample](const Verdict& verdict) { sample.verdict = verdict; };
        if (sample.whole_program)
            pool.submit(without_prompt(problem), sample.code, keep, check);
        else
            pool.submit(problem, sample.code, keep, check);
    }
    while (!pool.wait_idle(std::chrono::milliseconds(100))) {
        if (options.cancel != nullptr && *options.cancel)
            return false;
        report(pool.pending());
    }
    report(0);
    return true;
}

std::string result_text(const Verdict& verdict) {
    switch (verdict.kind) {
    case VerdictKind::passed: return "passed";
    case VerdictKind::timed_out: return "timed out";
    case VerdictKind::unscored: return "unscored: " + verdict.detail;
    case VerdictKind::failed:
    case VerdictKind::error: break;
    }
    return "failed: " + verdict.detail;
}

/// The sample's object with all that it says, as it says it (numbers that no double holds, NaN), and the
/// verdict last.
std::string result_line(const Sample& sample, const Problem& problem) {
    const auto text = [](const std::string& value) {
        return nlohmann::json(value).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    };
    std::string line = "{";
    for (const JsonMember& member : json_members(sample.line)) {
        if (member.key != R"("result")" && member.key != R"("passed")")
            line.append(member.key).append(": ").append(member.value).append(", ");
    }
    std::replace(line.begin(), line.end(), '\r', ' '); // white space here, a line end to other tools
    if (sample.line.empty()) {
        line += fmt::format(R"("task_id": {}, "{}": {}, )", text(problem.task_id),
                            sample.whole_program ? "solution" : "completion",
                            sample.missing ? "null" : text(sample.code));
    }
    return line + fmt::format("\"result\": {}, \"passed\": {}}}\n", text(result_text(sample.verdict)),
                              sample.verdict.kind == VerdictKind::passed);
}

Expected<> write_results(const std::vector<Problem>& problems, const std::vector<Sample>& samples,
                         OutputFile file) {
    for (const Sample& sample : samples) {
        if (auto written = file.write(result_line(sample, problems[sample.problem])); !written)
            return written;
    }
    return file.commit();
}

ScoreReport summarize(const std::vector<Problem>& problems, const std::vector<Sample>& samples) {
    ScoreReport report;
    report.problems = static_cast<int>(problems.size());
    report.samples = static_cast<int>(samples.size());
    std::vector<ProblemCounts> counts(problems.size());
    std::vector<bool> attempted(problems.size());
    for (const Sample& sample : samples) {
        const VerdictKind kind = sample.verdict.kind;
        report.passed += kind == VerdictKind::passed;
        report.unproven += kind == VerdictKind::passed && !sample.verdict.proven;
        report.failed += kind == VerdictKind::failed;
        report.timed_out += kind == VerdictKind::timed_out;
        report.errors += kind == VerdictKind::error;
        report.unscored += kind == VerdictKind::unscored;
        attempted[sample.problem] = true;
        counts[sample.problem].scored += kind != VerdictKind::unscored;
        counts[sample.problem].passed += kind == VerdictKind::passed;
    }
    std::vector<ProblemCounts> of_attempted;
    for (std::size_t i = 0; i < problems.size(); ++i) {
        if (attempted[i])
            of_attempted.push_back(counts[i]);
    }
    report.attempted = static_cast<int>(of_attempted.size());
    report.pass_at_k = mean_pass_at_k(of_attempted);
    if (report.attempted < report.problems) {
        report.warnings.push_back(
            fmt::format("{} of {} problems have no sample; pass@k is over the {} attempted ones",
                        report.problems - report.attempted, report.problems, report.attempted));
    }
    if (report.unproven > 0) {
        report.warnings.push_back(fmt::format(
            "{} of {} passes are not proven: their programs ran in one interpreter with their tests",
            report.unproven, report.passed));
    }
    if (report.unscored > 0) {
        report.warnings.push_back(
            fmt::format("{} of {} samples could not be scored and count neither as passed nor as "
                        "failed",
                        report.unscored, report.samples));
    }
    return report;
}

} // namespace

std::filesystem::path results_file_for(const std::filesystem::path& samples) {
    return samples.string() + "_results.jsonl";
}

Expected<ScoreReport> score_samples(const std::vector<Problem>& problems,
                                    const std::filesystem::path& samples_file, const ScoreOptions& options) {
    const auto text = read_text_file(samples_file, samples::max_samples_bytes);
    if (!text)
        return tl::unexpected(text.error());
    auto samples = parse_samples(problems, samples_file.string(), *text);
    if (!samples)
        return tl::unexpected(samples.error());
    const std::string aside = samples::set_aside_sentence(samples->report.set_aside, samples_file.string());
    if (options.strict && !aside.empty())
        return make_error(ErrorCode::bad_input, aside, "Mend these lines, or leave out --strict.");
    const auto results_file =
        options.results_file.empty() ? results_file_for(samples_file) : options.results_file;
    auto results = OutputFile::create(results_file);
    if (!results)
        return tl::unexpected(results.error());
    auto sandbox = Sandbox::open(options.sandbox);
    if (!sandbox)
        return tl::unexpected(sandbox.error());
    VerdictPool pool(*sandbox, options.pool); // its threads end before `samples` does
    const auto checks = check_attempted(pool, *sandbox, problems, samples->list, options);
    if (!checks || !run_all(pool, problems, *checks, samples->list, options))
        return make_error(ErrorCode::cancelled, "Scoring was cancelled; no results were written.");
    if (auto written = write_results(problems, samples->list, std::move(*results)); !written)
        return tl::unexpected(written.error());
    ScoreReport report = summarize(problems, samples->list);
    report.unjudged_problems = static_cast<int>(std::count_if(
        checks->begin(), checks->end(), [](const ProblemCheck& check) { return !check.judging; }));
    if (std::string sentence = unjudged_sentence(*checks); !sentence.empty())
        report.warnings.push_back(std::move(sentence));
    report.results_file = results_file;
    report.set_aside = samples->report.set_aside;
    if (!aside.empty())
        report.warnings.insert(report.warnings.begin(), aside);
    for (const std::string& note : samples->report.notes)
        report.warnings.push_back(samples_file.string() + ": " + note);
    return report;
}

} // namespace quantscope::eval
