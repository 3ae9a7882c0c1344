// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/bench_generation.h"

#include "engine/eval/problems.h"
#include "engine/model/tokenizer.h"
#include "engine/worker/humaneval_lengths.h"

#include <algorithm>
#include <chrono>

namespace quantscope::worker {
namespace {

using Clock = std::chrono::steady_clock;

/// A session whose steps are timed, so that the rest is known to be the host's.
class TimedSession final : public Session {
  public:
    explicit TimedSession(Session& session) : session_(session) {}

    Expected<> step(std::span<const SlotInput> inputs, std::span<float> logits) override {
        return timed([&] { return session_.step(inputs, logits); });
    }
    Expected<> step_greedy(std::span<const SlotInput> inputs, std::span<std::int32_t> ids) override {
        return timed([&] { return session_.step_greedy(inputs, ids); });
    }
    void reset(int slot) override { session_.reset(slot); }
    int length(int slot) const override { return session_.length(slot); }
    int context_length() const override { return session_.context_length(); }
    int max_slots() const override { return session_.max_slots(); }
    int vocab_size() const override { return session_.vocab_size(); }
    MemoryReport memory() const override { return session_.memory(); }
    std::int64_t bytes_per_decode_step(int batch, int context) const override {
        return session_.bytes_per_decode_step(batch, context);
    }

    std::int64_t steps() const { return steps_; }
    double seconds() const { return seconds_; } ///< within steps

  private:
    template<class Step>
    Expected<> timed(const Step& step) {
        const auto start = Clock::now();
        auto done = step();
        seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
        ++steps_;
        return done;
    }

    Session& session_;
    std::int64_t steps_ = 0;
    double seconds_ = 0.0;
};

Expected<std::vector<std::vector<std::int32_t>>> problem_prompts(const BenchOptions& options) {
    if (options.model.empty()) {
        return make_error(ErrorCode::bad_input,
                          "Problems were given without a model, whose tokenizer counts their tokens.",
                          "Name a model folder, or leave the problems out.");
    }
    const auto tokenizer = Tokenizer::open(options.model);
    if (!tokenizer) {
        return tl::unexpected(tokenizer.error());
    }
    const auto problems = eval::read_problems(options.problems);
    if (!problems) {
        return tl::unexpected(problems.error());
    }
    std::vector<std::vector<std::int32_t>> prompts;
    for (const eval::Problem& problem : *problems) {
        auto prompt = (*tokenizer)->encode_prompt(problem.prompt);
        if (!prompt) {
            return tl::unexpected(prompt.error());
        }
        prompts.push_back(*std::move(prompt));
    }
    return prompts;
}

std::vector<std::int32_t> random_prompt(int index, int vocab_size) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(humaneval_prompt_tokens(index)));
    auto state = static_cast<std::uint32_t>(index) * 2654435761U + 1U;
    for (std::int32_t& token : tokens) { // xorshift32 (Marsaglia 2003)
        state ^= state << 13U;
        state ^= state >> 17U;
        state ^= state << 5U;
        token = static_cast<std::int32_t>((state >> 8U) % static_cast<std::uint32_t>(vocab_size));
    }
    return tokens;
}

} // namespace

Expected<std::vector<GenerationRequest>> bench_requests(const BenchOptions& options, int vocab_size) {
    std::vector<std::vector<std::int32_t>> prompts;
    if (!options.problems.empty()) {
        auto read = problem_prompts(options);
        if (!read) {
            return tl::unexpected(read.error());
        }
        prompts = *std::move(read);
    }
    std::vector<GenerationRequest> requests(static_cast<std::size_t>(options.requests));
    for (std::size_t i = 0; i < requests.size(); ++i) {
        requests[i].prompt =
            prompts.empty() ? random_prompt(static_cast<int>(i), vocab_size) : prompts[i % prompts.size()];
        requests[i].max_new_tokens = options.output_tokens;
    }
    return requests;
}

int context_of(const std::vector<GenerationRequest>& requests) {
    std::size_t longest = 0;
    for (const GenerationRequest& request : requests) {
        longest = std::max(longest, request.prompt.size() + static_cast<std::size_t>(request.max_new_tokens));
    }
    return static_cast<int>(longest);
}

Expected<BenchGeneration> time_generation(Session& session, const std::vector<GenerationRequest>& requests,
                                          int batch_size) {
    TimedSession timed(session);
    BenchGeneration generation;
    std::optional<Error> refused;
    GenerationOptions options;
    options.batch_size = batch_size;
    options.on_done = [&](const GenerationResult& result) {
        if (result.error) {
            refused = result.error;
        }
        ++generation.requests;
        generation.prompt_tokens += result.prompt_tokens;
        generation.new_tokens += result.completion_tokens;
    };
    const auto start = Clock::now();
    auto done = generate_tokens(timed, requests, options);
    generation.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (!done || refused) {
        return tl::unexpected(refused ? *refused : done.error());
    }
    generation.tokens_per_s = static_cast<double>(generation.new_tokens) / generation.seconds;
    generation.steps = timed.steps();
    generation.host_seconds = generation.seconds - timed.seconds();
    return generation;
}

} // namespace quantscope::worker
