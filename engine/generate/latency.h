// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"

#include <functional>
#include <span>
#include <stop_token>
#include <vector>

namespace quantscope {

/// What a latency run fixes.
struct LatencyPlan {
    int batch_size = 1;
    int prompt_tokens = 128;
    int output_tokens = 32;
    int rounds = 5;        ///< timed rounds; each yields batch_size requests
    int first_round = 0;   ///< rounds before this one are stored already (resume) and not run
    int warmup_rounds = 1; ///< not reported
};

/// One timed request. Times are of the steady clock.
struct LatencyRequest {
    int prompt_tokens = 0;
    int output_tokens = 0;
    double ttft_ms = 0.0;       ///< prompt in to first token out
    double e2e_ms = 0.0;        ///< prompt in to last token out
    std::vector<double> itl_ms; ///< the output_tokens - 1 gaps between tokens

    double tpot_ms() const; ///< mean gap of the request
};

/// A round of one session: batch_size requests that ran together.
struct LatencyRound {
    int round = 0;
    std::vector<LatencyRequest> requests;
    double tokens_per_s = 0.0;       ///< output tokens of all slots over the round's time
    double decode_bytes_per_s = 0.0; ///< weights and KV cache read by decode steps over their time
};

/// Runs one round: every slot is reset, all prompts are given in one step, then forced tokens are decoded one
/// a step (no EOS stop). Prompt and forced tokens are a fixed sequence, the same for every scheme.
Expected<LatencyRound> run_latency_round(Session& session, const LatencyPlan& plan, int round,
                                         const std::stop_token& cancel = {});

/// The sessions take turns, A B C, A B C, so that drift hits all alike: warm-up rounds first, then
/// `on_round(session index, round)` for each timed one, as it ends. Errors: bad_input (plan does not fit a
/// session), cancelled, and what Session::step() reports.
Expected<> measure_latency(std::span<Session* const> sessions, const LatencyPlan& plan,
                           const std::function<void(std::size_t, const LatencyRound&)>& on_round,
                           const std::stop_token& cancel = {});

} // namespace quantscope
