// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/backend/ceilings.h"
#include "engine/worker/run_telemetry.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quantscope::worker {

struct BenchOptions {
    std::string backend = "auto";
    std::string shape = "llama-2-7b"; ///< of random weights
    std::filesystem::path model;      ///< folder of real weights instead; empty: random ones
    std::vector<std::string> schemes;
    std::vector<int> batch_sizes;
    int prompt_tokens = 128;
    int output_tokens = 32;
    int rounds = 5;
    double energy_seconds = 1.0; ///< of rounds that energy is measured over; 0: it is not
    /// Above 0, this many requests of output_tokens are generated instead, slots refilled as they come free:
    /// HumanEval's work. Prompt lengths are those of `problems`, else humaneval_prompt_tokens().
    int requests = 0;
    std::filesystem::path problems; ///< needs `model`, whose tokenizer counts
};

/// Requests generated with slots that are refilled; nothing stops early.
struct BenchGeneration {
    int requests = 0;
    std::int64_t prompt_tokens = 0; ///< of all requests
    std::int64_t new_tokens = 0;
    double seconds = 0.0; ///< from the first prompt in to the last token out
    double tokens_per_s = 0.0;
    std::int64_t steps = 0;
    double host_seconds = 0.0; ///< of `seconds`, outside the session's steps
};

/// One scheme at one batch size. Times are of the steady clock.
struct BenchCell {
    std::string scheme;
    int batch_size = 0;
    std::optional<Error> error; ///< set: it could not be measured (out of memory); the others went on
    double load_s = 0.0;        ///< reading, rotating, quantizing and packing
    double ttft_ms = 0.0;       ///< median
    double tpot_p50_ms = 0.0;
    double tpot_p90_ms = 0.0;
    double tpot_p99_ms = 0.0;
    double tokens_per_s = 0.0; ///< median of the rounds
    double bytes_per_s = 0.0;  ///< weights and KV cache read by decode steps; median
    std::optional<double> fraction_of_read_ceiling;
    MemoryReport memory; ///< of the scheme's session, whose slots are those of the largest batch
    std::optional<EnergyFigures> energy;
    std::optional<BenchGeneration> generation; ///< where requests were asked for; the times above are then 0

    /// What the session holds.
    [[nodiscard]] std::int64_t final_bytes() const;
};

struct BenchHeader {
    DeviceInfo device;
    std::string model;                      ///< the shape's or the folder's name
    std::optional<DeviceCeilings> ceilings; ///< measured now; CUDA only
    std::string no_telemetry;               ///< why there is none; empty: there is
};

/// Times every scheme at every batch size. Schemes that fit in memory together take turns, round by round;
/// the others come after them, alone. A batch size that does not fit even then is a cell with an error.
/// Errors: those of make_backend(), of the model's files, of create() and step() save out of memory;
/// bad_input (unknown scheme or shape, problems without a model).
Expected<> run_bench(const BenchOptions& options, const std::function<void(const BenchHeader&)>& on_start,
                     const std::function<void(const BenchCell&)>& on_cell);

} // namespace quantscope::worker
