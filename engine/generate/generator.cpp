// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/generator.h"

#include "engine/generate/stop_finder.h"
#include "engine/model/tokenizer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>

namespace quantscope {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// A slot's sequence while it runs.
struct Active {
    std::size_t request = 0;
    int slot = 0;
    Clock::time_point started;
    double ttft_ms = 0.0;
    std::vector<std::int32_t> tokens;
};

class Generation {
  public:
    /// @param tokenizer  null: no text
    Generation(Session& session, const Tokenizer* tokenizer, std::span<const GenerationRequest> requests,
               const GenerationOptions& options)
        : session_(session), requests_(requests), options_(options) {
        if (tokenizer != nullptr) {
            stops_.emplace(*tokenizer, options.stop_strings);
        }
        for (int slot = options.batch_size - 1; slot >= 0; --slot) {
            free_slots_.push_back(slot);
        }
    }

    Expected<> run();

  private:
    void refill();
    Expected<> step();
    Expected<> finish_not_finite(Active& sequence);
    Expected<> take_token(Active& sequence, std::int32_t token, bool& finished);
    Expected<> finish(Active& sequence, StopReason reason, std::string completion, int tokens_run);
    std::optional<Error> reject(const GenerationRequest& request) const;

    Session& session_;
    std::span<const GenerationRequest> requests_;
    const GenerationOptions& options_;
    std::optional<StopFinder> stops_; ///< none: tokens only
    Sampler sampler_;
    std::size_t next_ = 0;
    std::vector<int> free_slots_;
    std::vector<Active> active_;
    std::vector<SlotInput> inputs_;
    std::vector<float> logits_;
    std::vector<std::int32_t> ids_;
};

std::optional<Error> Generation::reject(const GenerationRequest& request) const {
    const auto length = static_cast<std::int64_t>(request.prompt.size());
    if (length == 0 || request.max_new_tokens < 1) {
        return Error{
            ErrorCode::bad_input,
            fmt::format("A request needs a prompt and at least 1 new token; got {} prompt tokens and {} new.",
                        length, request.max_new_tokens),
            {}};
    }
    if (length >= session_.context_length()) {
        return Error{
            ErrorCode::bad_input,
            fmt::format("The prompt is {} tokens long, and the context holds {}: no token could follow it.",
                        length, session_.context_length()),
            "Use a longer context or leave the problem out."};
    }
    const auto outside = std::find_if(request.prompt.begin(), request.prompt.end(),
                                      [&](std::int32_t id) { return id < 0 || id >= session_.vocab_size(); });
    if (outside != request.prompt.end()) {
        return Error{ErrorCode::bad_input,
                     fmt::format("Token id {} of the prompt is outside the model's vocabulary of {}.",
                                 *outside, session_.vocab_size()),
                     "The tokenizer does not belong to this model."};
    }
    return std::nullopt;
}

/// Gives free slots to the next requests. Requests that cannot run are answered at once.
void Generation::refill() {
    while (next_ < requests_.size() && !free_slots_.empty()) {
        const std::size_t request = next_++;
        if (auto error = reject(requests_[request])) {
            GenerationResult result;
            result.request = request;
            result.error = std::move(error);
            result.prompt_tokens = static_cast<int>(requests_[request].prompt.size());
            options_.on_done(std::move(result));
            continue;
        }
        const int slot = free_slots_.back();
        free_slots_.pop_back();
        session_.reset(slot);
        active_.push_back(
            {.request = request, .slot = slot, .started = Clock::now(), .ttft_ms = 0.0, .tokens = {}});
        active_.back().tokens.reserve(
            static_cast<std::size_t>(std::min(requests_[request].max_new_tokens, session_.context_length())));
    }
}

Expected<> Generation::finish(Active& sequence, StopReason reason, std::string completion, int tokens_run) {
    GenerationResult result;
    result.request = sequence.request;
    result.completion = std::move(completion);
    result.stop_reason = reason;
    result.prompt_tokens = static_cast<int>(requests_[sequence.request].prompt.size());
    result.completion_tokens = tokens_run;
    result.ttft_ms = sequence.ttft_ms;
    result.total_ms = ms_since(sequence.started);
    result.tokens = std::move(sequence.tokens);
    free_slots_.push_back(sequence.slot);
    options_.on_done(std::move(result));
    return {};
}

/// The tokens so far are kept, for the record; the session is asked where the first such number arose.
Expected<> Generation::finish_not_finite(Active& sequence) {
    const GenerationRequest& request = requests_[sequence.request];
    std::vector<std::int32_t> all = request.prompt;
    all.insert(all.end(), sequence.tokens.begin(), sequence.tokens.end());
    const std::string part = session_.find_not_finite(sequence.slot, all);
    GenerationResult result;
    result.request = sequence.request;
    result.not_finite = true;
    result.error =
        Error{ErrorCode::unsupported,
              fmt::format("After {} tokens a logit is NaN or infinite{}{}.", all.size(),
                          part.empty() ? "" : "; the first part of the model with such a number is ", part),
              "The model's numbers do not fit this scheme on this device: try a scheme with more bits, or "
              "the CPU."};
    result.prompt_tokens = static_cast<int>(request.prompt.size());
    result.completion_tokens = static_cast<int>(sequence.tokens.size());
    result.ttft_ms = sequence.ttft_ms;
    result.total_ms = ms_since(sequence.started);
    if (stops_) {
        auto text = stops_->completion(request.prompt_text, request.prompt, sequence.tokens);
        if (!text) {
            return tl::unexpected(text.error());
        }
        result.completion = std::move(text->completion);
    }
    result.tokens = std::move(sequence.tokens);
    free_slots_.push_back(sequence.slot);
    options_.on_done(std::move(result));
    return {};
}

Expected<> Generation::take_token(Active& sequence, std::int32_t token, bool& finished) {
    const GenerationRequest& request = requests_[sequence.request];
    if (token == not_finite_id) {
        finished = true;
        return finish_not_finite(sequence);
    }
    const auto count = static_cast<int>(sequence.tokens.size()) + 1;
    if (count == 1) {
        sequence.ttft_ms = ms_since(sequence.started);
    }
    const std::vector<int>& ends = options_.eos_token_ids;
    const bool eos = std::find(ends.begin(), ends.end(), token) != ends.end();
    if (!eos) {
        sequence.tokens.push_back(token);
    }
    const bool last =
        count >= request.max_new_tokens || session_.length(sequence.slot) >= session_.context_length();
    if (!eos && !last && !(stops_ && stops_->possible(sequence.tokens))) {
        return {};
    }
    Expected<StopFinder::Text> text;
    if (stops_) {
        text = stops_->completion(request.prompt_text, request.prompt, sequence.tokens);
    }
    if (!text) {
        return tl::unexpected(text.error());
    }
    finished = eos || last || text->stop_found;
    if (!finished) {
        return {};
    }
    const StopReason reason = text->stop_found ? StopReason::stop
                              : eos            ? StopReason::eos
                                               : StopReason::length;
    return finish(sequence, reason, std::move(text->completion), count);
}

Expected<> Generation::step() {
    inputs_.clear();
    bool greedy = true;
    for (const Active& sequence : active_) {
        const GenerationRequest& request = requests_[sequence.request];
        const bool prefill = sequence.tokens.empty();
        inputs_.push_back({sequence.slot, prefill
                                              ? std::span<const std::int32_t>(request.prompt)
                                              : std::span<const std::int32_t>(&sequence.tokens.back(), 1)});
        greedy = greedy && request.sampling.temperature <= 0.0;
    }
    ids_.resize(active_.size());
    const auto vocab = static_cast<std::size_t>(session_.vocab_size());
    if (greedy) {
        if (auto ok = session_.step_greedy(inputs_, ids_); !ok) {
            return ok;
        }
    } else {
        logits_.resize(active_.size() * vocab);
        if (auto ok = session_.step(inputs_, logits_); !ok) {
            return ok;
        }
        for (std::size_t i = 0; i < active_.size(); ++i) {
            const GenerationRequest& request = requests_[active_[i].request];
            const auto row = std::span<const float>(logits_).subspan(i * vocab, vocab);
            const bool finite =
                std::all_of(row.begin(), row.end(), [](float logit) { return std::isfinite(logit); });
            ids_[i] = finite ? sampler_.choose(row, request.sampling, request.key, active_[i].tokens.size())
                             : not_finite_id;
        }
    }
    if (options_.on_tokens) {
        options_.on_tokens(static_cast<std::int64_t>(active_.size()));
    }
    std::size_t running = 0;
    for (std::size_t i = 0; i < active_.size(); ++i) {
        bool finished = false;
        if (auto ok = take_token(active_[i], ids_[i], finished); !ok) {
            return ok;
        }
        if (!finished) {
            if (running != i) {
                active_[running] = std::move(active_[i]);
            }
            ++running;
        }
    }
    active_.resize(running);
    return {};
}

Expected<> Generation::run() {
    for (refill(); !active_.empty(); refill()) {
        if (options_.cancel.stop_requested()) {
            return make_error(ErrorCode::cancelled, "The generation was cancelled.");
        }
        if (auto ok = step(); !ok) {
            return ok;
        }
    }
    return {};
}

} // namespace

const char* to_string(StopReason reason) {
    switch (reason) {
    case StopReason::stop: return "stop";
    case StopReason::eos: return "eos";
    case StopReason::length: return "length";
    }
    return "length";
}

namespace {

Expected<> check_and_run(Session& session, const Tokenizer* tokenizer,
                         std::span<const GenerationRequest> requests, const GenerationOptions& options) {
    if (options.batch_size < 1 || options.batch_size > session.max_slots()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("A batch size of {} was asked for; this session has {} slots.",
                                      options.batch_size, session.max_slots()));
    }
    if (!options.on_done) {
        return make_error(ErrorCode::internal, "generate() was called without on_done.");
    }
    return Generation(session, tokenizer, requests, options).run();
}

} // namespace

Expected<> generate(Session& session, const Tokenizer& tokenizer, std::span<const GenerationRequest> requests,
                    const GenerationOptions& options) {
    return check_and_run(session, &tokenizer, requests, options);
}

Expected<> generate_tokens(Session& session, std::span<const GenerationRequest> requests,
                           const GenerationOptions& options) {
    if (!options.stop_strings.empty()) {
        return make_error(ErrorCode::internal, "generate_tokens() was given stop strings.");
    }
    return check_and_run(session, nullptr, requests, options);
}

} // namespace quantscope
