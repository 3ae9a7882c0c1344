// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/generate/generator.h"
#include "engine/worker/bench.h"

namespace quantscope::worker {

/// The requests that options.requests asks for: the problems' prompts, again from the first where there are
/// fewer, or random tokens of a vocabulary. Errors: those of the tokenizer and of the problem file;
/// bad_input.
Expected<std::vector<GenerationRequest>> bench_requests(const BenchOptions& options, int vocab_size);

/// Longest prompt plus its output.
int context_of(const std::vector<GenerationRequest>& requests);

/// Generates them all, by the loop that HumanEval's completions are made with.
Expected<BenchGeneration> time_generation(Session& session, const std::vector<GenerationRequest>& requests,
                                          int batch_size);

} // namespace quantscope::worker
