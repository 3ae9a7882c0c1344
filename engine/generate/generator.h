// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/generate/sampler.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace quantscope {

class Tokenizer;

/// One prompt to be continued.
struct GenerationRequest {
    std::string prompt_text;          ///< what `prompt` encodes; the completion is the text that follows it
    std::vector<std::int32_t> prompt; ///< token ids, BOS included; at least one
    int max_new_tokens = 512;
    Sampling sampling;
    RandomKey key; ///< names the random stream, so that results do not depend on scheduling
};

enum class StopReason {
    stop,   ///< a stop string was found; the completion is cut before it
    eos,    ///< the model ended the sequence
    length, ///< max_new_tokens or the slot's context was used up
};

/// "stop", "eos", "length": the words of the wire protocol.
const char* to_string(StopReason reason);

/// What became of one request.
struct GenerationResult {
    std::size_t request = 0;          ///< index into the requests given to generate()
    std::optional<Error> error;       ///< set: this request could not be run; the others went on
    bool not_finite = false;          ///< the error is that a logit was NaN or infinite
    std::vector<std::int32_t> tokens; ///< continuation, EOS not included, stop string not cut
    std::string completion; ///< decode(prompt + tokens) minus the prompt, cut before the stop string
    StopReason stop_reason = StopReason::length;
    int prompt_tokens = 0;
    int completion_tokens = 0; ///< tokens the model was run for, EOS included
    double ttft_ms = 0.0;      ///< from the moment the request got its slot to its first token
    double total_ms = 0.0;     ///< from the same moment to its last token
};

struct GenerationOptions {
    int batch_size = 1; ///< slots in use at once; at most Session::max_slots()
    std::vector<std::string> stop_strings = {};
    std::vector<int> eos_token_ids = {}; ///< any of them ends a sequence
    std::stop_token cancel = {};
    std::function<void(GenerationResult)> on_done =
        {}; ///< called as each request finishes, on the calling thread
    std::function<void(std::int64_t)> on_tokens =
        {}; ///< may be empty; called after each step with the new tokens
};

/// Continues every request. Free slots are refilled as sequences stop; a request's tokens are the same
/// whatever the batch size and its neighbours. Errors: bad_input (batch size), cancelled, whatever
/// Session::step() reports. A request that cannot be run (empty prompt, longer than the context, token id
/// outside the vocabulary), or after which a logit is not finite, gets a result with `error`, and the others
/// go on.
Expected<> generate(Session& session, const Tokenizer& tokenizer, std::span<const GenerationRequest> requests,
                    const GenerationOptions& options);

/// As generate(), of token ids alone: nothing is decoded, `completion` stays empty. Errors besides: internal
/// (stop strings, which need text).
Expected<> generate_tokens(Session& session, std::span<const GenerationRequest> requests,
                           const GenerationOptions& options);

} // namespace quantscope
