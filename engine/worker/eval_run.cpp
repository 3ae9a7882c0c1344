// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/problems.h"
#include "engine/eval/prompt_protocol.h"
#include "engine/generate/generator.h"
#include "engine/worker/progress_meter.h"
#include "engine/worker/prompt_form.h"
#include "engine/worker/resources.h"
#include "engine/worker/run_context.h"
#include "engine/worker/run_telemetry.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace quantscope::worker {
namespace {

using eval::Problem;

/// Verdict callbacks refer to the run: however it ends, none may be left.
class VerdictsReturned {
  public:
    explicit VerdictsReturned(eval::VerdictPool& pool) : pool_(pool) {}
    ~VerdictsReturned() {
        pool_.cancel();
        pool_.wait_idle();
    }
    VerdictsReturned(const VerdictsReturned&) = delete;
    VerdictsReturned& operator=(const VerdictsReturned&) = delete;

  private:
    eval::VerdictPool& pool_;
};

/// A sample to be made: requests_[i] of the generator belongs to samples_[i].
struct PlannedSample {
    std::size_t problem = 0;
    int index = 0;
};

class EvalRun {
  public:
    EvalRun(RunContext& context, const protocol::EvalRequest& request, const JobRun& run)
        : context_(context), request_(request), run_(run) {}

    Expected<> run() {
        if (auto read = read_problems(); !read) {
            return read;
        }
        if (auto planned = plan(); !planned) {
            return planned;
        }
        if (auto checked = check_problems(); !checked) {
            return checked;
        }
        auto loaded = begin_run(context_, run_, {request_.batch_size, longest_});
        if (!loaded) {
            return tl::unexpected(loaded.error());
        }
        announce_problems();
        announce_prompt_form();
        return generate_and_judge(*(*loaded)->session, (*loaded)->scheme->label);
    }

  private:
    Expected<> read_problems();
    Expected<> check_problems();
    void announce_problems();
    void announce_prompt_form();
    Expected<> plan();
    Expected<> generate_and_judge(Session& session, std::string_view label);
    void take_result(GenerationResult result, ProgressMeter& progress);
    void send_sample(protocol::SampleEvent sample, const eval::Verdict& verdict, ProgressMeter& progress);

    RunContext& context_;
    const protocol::EvalRequest& request_;
    const JobRun& run_;
    std::vector<Problem> problems_;
    PromptBoundaries boundaries_;
    bool stripped_ = false; ///< prompts go without the white space at their end
    std::vector<PlannedSample> samples_;
    std::vector<GenerationRequest> requests_;
    int longest_ = 1;    ///< tokens of a prompt and its output
    int not_finite_ = 0; ///< samples that ended because a logit was NaN or infinite
};

Expected<> EvalRun::read_problems() {
    const auto file = resolve_problems(request_.problems);
    if (!file) {
        return tl::unexpected(file.error());
    }
    auto problems = eval::read_problems(*file);
    if (!problems) {
        return tl::unexpected(problems.error());
    }
    problems_ = *std::move(problems);
    if (request_.limit > 0 && problems_.size() > static_cast<std::size_t>(request_.limit)) {
        problems_.resize(static_cast<std::size_t>(request_.limit));
    }
    return {};
}

Expected<> EvalRun::check_problems() {
    std::string key = eval::problems_hash(problems_);
    for (const Problem& problem : problems_) {
        key += problem.canonical_solution;
    }
    CheckedProblems& checked = context_.checked;
    if (context_.sandbox == nullptr || checked.key == key) {
        return {};
    }
    eval::CanonicalCheckOptions options;
    options.cache = eval::canonical_check_cache();
    options.cancelled = [&] { return run_.stop.stop_requested(); };
    options.on_progress = [this, last = -1](int done, int total) mutable {
        if (done != last) {
            last = done;
            context_.writer.send(protocol::PhaseEvent{
                run_.run, "check", fmt::format("Canonical solutions, {} of {} checked", done, total)});
        }
    };
    auto checks = eval::check_canonical_solutions(context_.verdicts, *context_.sandbox, problems_, options);
    if (!checks) {
        return tl::unexpected(checks.error());
    }
    checked = {std::move(key), *std::move(checks)};
    return {};
}

void EvalRun::announce_problems() {
    const std::string hash = eval::problems_hash(problems_);
    for (std::size_t first = 0; first < problems_.size(); first += protocol::kMaxProblemsPerEvent) {
        protocol::ProblemsEvent event{
            run_.run, hash, static_cast<int>(problems_.size()), static_cast<int>(first), {}, {}};
        if (first == 0) {
            event.notice = eval::unjudged_sentence(context_.checked.checks);
        }
        const std::size_t last = std::min(problems_.size(), first + protocol::kMaxProblemsPerEvent);
        for (std::size_t i = first; i < last; ++i) {
            event.problems.push_back({problems_[i].task_id, problems_[i].prompt, problems_[i].entry_point});
        }
        context_.writer.send(std::move(event));
    }
}

void EvalRun::announce_prompt_form() {
    context_.writer.send(
        protocol::MetricEvent{run_.run,
                              {{"prompt_stripped", stripped_ ? 1.0 : 0.0},
                               {"prompt_boundaries", static_cast<double>(boundaries_.problems)},
                               {"prompt_boundaries_kept",
                                static_cast<double>(stripped_ ? boundaries_.stripped : boundaries_.raw)}}});
}

/// Sample by sample, then problem by problem: the first samples of all problems come first, so that a
/// partial run has seen as many problems as it can.
Expected<> EvalRun::plan() {
    const std::set<protocol::SampleKey> skip(request_.skip.begin(), request_.skip.end());
    const auto boundaries = count_boundaries(context_.host.tokenizer(), problems_);
    if (!boundaries) {
        return tl::unexpected(boundaries.error());
    }
    boundaries_ = *boundaries;
    stripped_ = is_stripped(request_.sampling.prompt_form, boundaries_);
    const auto given = [&](const Problem& problem) {
        return stripped_ ? stripped(problem.prompt) : std::string_view(problem.prompt);
    };
    std::vector<std::vector<std::int32_t>> prompts;
    for (const Problem& problem : problems_) {
        auto prompt = context_.host.tokenizer().encode_prompt(given(problem));
        if (!prompt) {
            return tl::unexpected(prompt.error());
        }
        prompts.push_back(*std::move(prompt));
    }
    for (int index = 0; index < request_.sampling.samples; ++index) {
        for (std::size_t i = 0; i < problems_.size(); ++i) {
            if (skip.contains({problems_[i].task_id, index})) {
                continue;
            }
            GenerationRequest request;
            request.prompt_text = given(problems_[i]);
            request.prompt = prompts[i];
            request.max_new_tokens = request_.sampling.max_new_tokens;
            request.sampling = {request_.sampling.temperature, request_.sampling.top_p};
            request.key = {request_.sampling.seed, i, static_cast<std::uint64_t>(index)};
            longest_ = std::max(longest_, static_cast<int>(request.prompt.size()) + request.max_new_tokens);
            requests_.push_back(std::move(request));
            samples_.push_back({i, index});
        }
    }
    return {};
}

void EvalRun::send_sample(protocol::SampleEvent sample, const eval::Verdict& verdict,
                          ProgressMeter& progress) {
    if (verdict.kind == eval::VerdictKind::unscored && run_.stop.stop_requested()) {
        return; // cut off by the cancel: it will be made again on resume
    }
    sample.verdict = to_string(verdict.kind);
    sample.detail = verdict.detail;
    context_.writer.send(std::move(sample));
    progress.add_done();
}

void EvalRun::take_result(GenerationResult result, ProgressMeter& progress) {
    const PlannedSample& planned = samples_[result.request];
    const Problem& problem = problems_[planned.problem];
    protocol::SampleEvent sample;
    sample.run = run_.run;
    sample.task_id = problem.task_id;
    sample.sample_index = planned.index;
    if (stripped_) {
        result.completion = behind_raw_prompt(problem.prompt, std::move(result.completion));
    }
    sample.completion = result.completion;
    sample.stop_reason = to_string(result.stop_reason);
    sample.prompt_tokens = result.prompt_tokens;
    sample.completion_tokens = result.completion_tokens;
    sample.ttft_ms = result.ttft_ms;
    sample.total_ms = result.total_ms;
    not_finite_ += result.not_finite ? 1 : 0;
    if (result.error) {
        eval::Verdict refused;
        refused.kind = eval::VerdictKind::error;
        refused.detail = result.error->message;
        send_sample(std::move(sample), refused, progress);
        return;
    }
    context_.verdicts.submit(
        problem, result.completion,
        [this, &progress, sample = std::move(sample)](const eval::Verdict& verdict) {
            send_sample(sample, verdict, progress);
        },
        context_.sandbox == nullptr ? eval::ProblemCheck{} : context_.checked.checks[planned.problem]);
}

Expected<> EvalRun::generate_and_judge(Session& session, std::string_view label) {
    ProgressMeter progress(context_.writer, run_.run, "eval", static_cast<int>(requests_.size()));
    const VerdictsReturned all_back(context_.verdicts);
    context_.writer.send(protocol::PhaseEvent{
        run_.run, "generate", fmt::format("Problems, {}, batch {}", label, request_.batch_size)});
    GenerationOptions options;
    options.batch_size = request_.batch_size;
    for (const std::string_view stop : eval::stop_strings()) {
        options.stop_strings.emplace_back(stop);
    }
    options.eos_token_ids = context_.host.eos_token_ids();
    options.cancel = run_.stop.get_token();
    options.on_done = [&](GenerationResult result) { take_result(std::move(result), progress); };
    std::int64_t tokens = 0;
    options.on_tokens = [&](std::int64_t count) {
        tokens += count;
        progress.add_tokens(count);
    };
    RunTelemetry telemetry(context_.writer, context_.read_device);
    Expected<> generated = generate(session, context_.host.tokenizer(), requests_, options);
    if (not_finite_ > 0) {
        context_.writer.send(
            protocol::MetricEvent{run_.run, {{"nonfinite_samples", static_cast<double>(not_finite_)}}});
    }
    if (const auto joules = telemetry.joules(); joules && tokens > 0) {
        context_.writer.send(protocol::MetricEvent{
            run_.run, {{"eval_energy_per_token_j", *joules / static_cast<double>(tokens)}}});
    }
    {
        // Cancelling also ends the verdicts that run; the callbacks refer to this object, so all must be
        // back.
        const std::stop_callback stop_verdicts(run_.stop.get_token(), [&] { context_.verdicts.cancel(); });
        if (context_.verdicts.pending() > 0) {
            context_.writer.send(
                protocol::PhaseEvent{run_.run, "verdict", fmt::format("Last verdicts, {}", label)});
        }
        context_.verdicts.wait_idle();
    }
    progress.report();
    if (generated && run_.stop.stop_requested()) {
        return make_error(ErrorCode::cancelled, "The run was cancelled.");
    }
    return generated;
}

} // namespace

Expected<> run_eval(RunContext& context, const protocol::EvalRequest& request, const JobRun& run) {
    return EvalRun(context, request, run).run();
}

} // namespace quantscope::worker
