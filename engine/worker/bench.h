// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quantscope::worker {

struct BenchOptions {
    std::string backend = "auto";
    std::string shape = "llama-2-7b"; ///< of random weights
    std::vector<std::string> schemes;
    std::vector<int> batch_sizes;
    int prompt_tokens = 128;
    int output_tokens = 32;
    int rounds = 5;
};

/// One scheme at one batch size. Times are of the steady clock.
struct BenchCell {
    std::string scheme;
    int batch_size = 0;
    double load_s = 0.0;  ///< reading, rotating, quantizing and packing
    double ttft_ms = 0.0; ///< median
    double tpot_p50_ms = 0.0;
    double tpot_p90_ms = 0.0;
    double tpot_p99_ms = 0.0;
    double tokens_per_s = 0.0; ///< median of the rounds
    double bytes_per_s = 0.0;  ///< weights and KV cache read by decode steps; median
    std::optional<double> fraction_of_read_ceiling;
    std::int64_t weight_bytes = 0;
};

struct BenchHeader {
    std::string device;
    std::optional<double> read_ceiling_bytes_per_s; ///< measured now; CUDA only
};

/// Times every scheme at every batch size, with weights that need no files. A scheme's session is loaded once
/// and given back before the next. Errors: those of make_backend(), create() and step(); bad_input (unknown
/// scheme or shape).
Expected<> run_bench(const BenchOptions& options, const std::function<void(const BenchHeader&)>& on_start,
                     const std::function<void(const BenchCell&)>& on_cell);

} // namespace quantscope::worker
