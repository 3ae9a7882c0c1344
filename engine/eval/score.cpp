// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/score.h"

#include "engine/eval/atomic_file.h"
#include "engine/eval/canonical_check.h"
#include "engine/eval/jsonl.h"
#include "engine/eval/pass_at_k.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <unordered_map>

namespace quantscope::eval {
namespace {

struct Sample {
    std::string_view line; ///< into the file's text
    std::size_t problem = 0;
    std::string completion;
    Verdict verdict;
};

Expected<std::vector<Sample>> parse_samples(const std::vector<Problem>& problems, const std::string& file,
                                            const std::string& text) {
    std::unordered_map<std::string_view, std::size_t> index;
    for (std::size_t i = 0; i < problems.size(); ++i)
        index.emplace(problems[i].task_id, i);
    std::vector<Sample> samples;
    auto walked = for_each_line(text, [&](std::string_view line, std::size_t number) -> Expected<> {
        const std::string where = fmt::format("{}, line {}", file, number);
        auto object = parse_object(line, where);
        if (!object)
            return tl::unexpected(object.error());
        auto task = take_string(*object, "task_id", where);
        if (!task)
            return tl::unexpected(task.error());
        auto completion = take_string(*object, "completion", where);
        if (!completion)
            return tl::unexpected(completion.error());
        const auto known = index.find(*task);
        if (known == index.end()) {
            return make_error(
                ErrorCode::bad_input,
                fmt::format("{}: task_id \"{}\" is not in the problem file", where, task->substr(0, 80)),
                "Score samples against the problem file that they were generated from.");
        }
        samples.push_back({line, known->second, std::move(*completion), {}});
        return {};
    });
    if (walked && samples.empty())
        walked = make_error(ErrorCode::bad_input, fmt::format("{}: holds no sample", file));
    if (!walked) {
        Error error = walked.error();
        if (error.hint.empty())
            error.hint =
                "Samples files have one JSON object a line with the string keys task_id and completion.";
        return tl::unexpected(std::move(error));
    }
    return samples;
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
        pool.submit(
            problems[sample.problem], sample.completion,
            [&sample](const Verdict& verdict) { sample.verdict = verdict; }, checks[sample.problem]);
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

Expected<> write_results(const std::vector<Sample>& samples, AtomicFile file) {
    for (const Sample& sample : samples) {
        auto object = parse_object(sample.line, "samples");
        if (!object)
            return tl::unexpected(object.error());
        (*object)["result"] = result_text(sample.verdict);
        (*object)["passed"] = sample.verdict.kind == VerdictKind::passed;
        const std::string line =
            object->dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
        if (auto written = file.write(line); !written)
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
    const auto text = read_text_file(samples_file, max_sample_file_bytes);
    if (!text)
        return tl::unexpected(text.error());
    auto samples = parse_samples(problems, samples_file.string(), *text);
    if (!samples)
        return tl::unexpected(samples.error());
    const auto results_file =
        options.results_file.empty() ? results_file_for(samples_file) : options.results_file;
    auto results = AtomicFile::create(results_file);
    if (!results)
        return tl::unexpected(results.error());
    auto sandbox = Sandbox::open(options.sandbox);
    if (!sandbox)
        return tl::unexpected(sandbox.error());
    VerdictPool pool(*sandbox, options.pool); // its threads end before `samples` does
    const auto checks = check_attempted(pool, *sandbox, problems, *samples, options);
    if (!checks || !run_all(pool, problems, *checks, *samples, options))
        return make_error(ErrorCode::cancelled, "scoring was cancelled; no results were written");
    if (auto written = write_results(*samples, std::move(*results)); !written)
        return tl::unexpected(written.error());
    ScoreReport report = summarize(problems, *samples);
    report.unjudged_problems = static_cast<int>(std::count_if(
        checks->begin(), checks->end(), [](const ProblemCheck& check) { return !check.judging; }));
    if (std::string sentence = unjudged_sentence(*checks); !sentence.empty())
        report.warnings.push_back(std::move(sentence));
    report.results_file = results_file;
    return report;
}

} // namespace quantscope::eval
