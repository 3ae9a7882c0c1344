// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/latency.h"

#include <chrono>
#include <fmt/format.h>
#include <numeric>

namespace quantscope {
namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point start, Clock::time_point end) {
    return std::chrono::duration<double, std::milli>(end - start).count();
}

/// Token `index` of slot `slot`: a fixed sequence that wanders over the vocabulary, past the special ids at
/// its start.
std::int32_t fixed_token(int slot, int index, int vocab_size) {
    const int first = vocab_size > 16 ? 3 : 0;
    const auto hash = static_cast<std::uint32_t>(slot * 131 + index) * 2654435761U; // Knuth's multiplier
    return first + static_cast<std::int32_t>((hash >> 8U) % static_cast<std::uint32_t>(vocab_size - first));
}

Expected<> check_plan(const Session& session, const LatencyPlan& plan) {
    if (plan.batch_size < 1 || plan.prompt_tokens < 1 || plan.output_tokens < 1) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format(
                "A latency run needs a batch, a prompt and an output of at least 1; got {}, {} and {}.",
                plan.batch_size, plan.prompt_tokens, plan.output_tokens));
    }
    if (plan.batch_size > session.max_slots()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("A batch size of {} was asked for; this session has {} slots.",
                                      plan.batch_size, session.max_slots()));
    }
    if (plan.prompt_tokens + plan.output_tokens - 1 > session.context_length()) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("A prompt of {} and an output of {} tokens do not fit the context of {}.",
                        plan.prompt_tokens, plan.output_tokens, session.context_length()),
            "Use a shorter prompt or output.");
    }
    return {};
}

/// Runs the steps of a round; `times` receives the start and the end of every step.
Expected<> run_steps(Session& session, const LatencyPlan& plan, const std::stop_token& cancel,
                     std::vector<Clock::time_point>& times, double& decode_bytes) {
    const auto slots = static_cast<std::size_t>(plan.batch_size);
    const auto width = static_cast<std::size_t>(plan.prompt_tokens);
    std::vector<std::int32_t> tokens(slots * width);
    std::vector<SlotInput> inputs(slots);
    std::vector<std::int32_t> ids(slots);
    for (int slot = 0; slot < plan.batch_size; ++slot) {
        const auto at = static_cast<std::size_t>(slot);
        session.reset(slot);
        for (int i = 0; i < plan.prompt_tokens; ++i) {
            tokens[at * width + static_cast<std::size_t>(i)] = fixed_token(slot, i, session.vocab_size());
        }
        inputs[at] = {slot, std::span(tokens).subspan(at * width, width)};
    }
    times.push_back(Clock::now());
    for (int output = 0; output < plan.output_tokens; ++output) {
        if (cancel.stop_requested()) {
            return make_error(ErrorCode::cancelled, "The latency measurement was cancelled.");
        }
        if (output > 0) {
            for (std::size_t slot = 0; slot < slots; ++slot) {
                tokens[slot] =
                    fixed_token(static_cast<int>(slot), plan.prompt_tokens + output, session.vocab_size());
                inputs[slot].tokens = std::span(tokens).subspan(slot, 1);
            }
            decode_bytes += static_cast<double>(
                session.bytes_per_decode_step(plan.batch_size, plan.prompt_tokens + output));
        }
        if (auto ok = session.step_greedy(inputs, ids); !ok) {
            return ok;
        }
        times.push_back(Clock::now());
    }
    return {};
}

} // namespace

double LatencyRequest::tpot_ms() const {
    return itl_ms.empty()
               ? 0.0
               : std::accumulate(itl_ms.begin(), itl_ms.end(), 0.0) / static_cast<double>(itl_ms.size());
}

Expected<LatencyRound> run_latency_round(Session& session, const LatencyPlan& plan, int round,
                                         const std::stop_token& cancel) {
    if (auto ok = check_plan(session, plan); !ok) {
        return tl::unexpected(ok.error());
    }
    std::vector<Clock::time_point> times;
    double decode_bytes = 0.0;
    if (auto ok = run_steps(session, plan, cancel, times, decode_bytes); !ok) {
        return tl::unexpected(ok.error());
    }
    LatencyRequest request;
    request.prompt_tokens = plan.prompt_tokens;
    request.output_tokens = plan.output_tokens;
    request.ttft_ms = ms_between(times[0], times[1]);
    request.e2e_ms = ms_between(times.front(), times.back());
    for (std::size_t i = 2; i < times.size(); ++i) {
        request.itl_ms.push_back(ms_between(times[i - 1], times[i]));
    }
    LatencyRound result;
    result.round = round;
    const double decode_ms = request.e2e_ms - request.ttft_ms;
    result.decode_bytes_per_s = decode_ms > 0.0 ? decode_bytes / (decode_ms * 1e-3) : 0.0;
    result.tokens_per_s = static_cast<double>(plan.batch_size) * plan.output_tokens / (request.e2e_ms * 1e-3);
    // The slots take every step together, so they share its times.
    result.requests.assign(static_cast<std::size_t>(plan.batch_size), request);
    return result;
}

Expected<> measure_latency(std::span<Session* const> sessions, const LatencyPlan& plan,
                           const std::function<void(std::size_t, const LatencyRound&)>& on_round,
                           const std::stop_token& cancel) {
    for (int round = plan.first_round - plan.warmup_rounds; round < plan.rounds; ++round) {
        for (std::size_t i = 0; i < sessions.size(); ++i) {
            auto measured = run_latency_round(*sessions[i], plan, round, cancel);
            if (!measured) {
                return tl::unexpected(measured.error());
            }
            if (round >= plan.first_round) {
                on_round(i, *measured);
            }
        }
    }
    return {};
}

} // namespace quantscope
