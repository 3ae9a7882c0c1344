// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/problems.h"
#include "engine/eval/verdict_pool.h"
#include "engine/samples/samples_reader.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace quantscope::eval {

struct ScoreOptions {
    VerdictPoolOptions pool;
    SandboxConfig sandbox;
    std::filesystem::path results_file; ///< empty: results_file_for(samples); see OutputFile
    bool strict = false;                ///< a line that is no sample is an error
    /// Where canonical solutions that passed are remembered (canonical_check.h); empty: nowhere.
    std::filesystem::path canonical_cache;
    std::function<void(int done, int total)> on_check; ///< canonical solutions; as on_progress, before it
    std::function<void(int done, int total)>
        on_progress;                           ///< called on the calling thread, about every 100 ms
    const std::atomic<bool>* cancel = nullptr; ///< set it to end with ErrorCode::cancelled, nothing written
};

/// What scoring a samples file found.
struct ScoreReport {
    std::filesystem::path results_file;
    int problems = 0;  ///< in the problem file
    int attempted = 0; ///< problems with at least one sample
    int samples = 0;
    int passed = 0;
    int failed = 0;
    int timed_out = 0;
    int errors = 0;
    int unscored = 0;
    int unproven = 0;          ///< passes that ran in one interpreter with their tests (sandbox.h)
    int unjudged_problems = 0; ///< whose canonical solution does not pass here: their samples are unscored
    std::map<int, double>
        pass_at_k; ///< k -> estimate over the attempted problems, 0..1; where n >= k for all of them
    samples::SetAside set_aside; ///< lines that are no samples
    std::vector<std::string>
        warnings; ///< sentences: lines set aside, problems without samples or that cannot be judged, ...
};

/// human-eval's name: the samples file's path with "_results.jsonl" appended.
[[nodiscard]] std::filesystem::path results_file_for(const std::filesystem::path& samples);

/// Scores anybody's samples (engine/samples/samples_reader.h lists the formats; `.jsonl` or gzip) and writes
/// each again, in order and with its other keys as they were, plus `result` ("passed", "failed: ...", "timed
/// out", as human-eval words them; "unscored: ..." where no verdict could be computed) and `passed`. A
/// completion of null counts as failed. Completions are run as they are: cutting at stop strings is the
/// generator's part. Problems with samples have their canonical solution checked first. Lines that are no
/// samples of these problems are set aside, with a warning or, with `strict`, an error before anything runs.
/// Unlike human-eval, which refuses, a file that does not attempt every problem is scored over the problems
/// it attempts, with a warning. Errors: no sample at all, or a line set aside in strict mode (bad_input, with
/// file and line); no sandbox (sandbox_unavailable); results that cannot be written (io); cancelled.
[[nodiscard]] Expected<ScoreReport> score_samples(const std::vector<Problem>& problems,
                                                  const std::filesystem::path& samples,
                                                  const ScoreOptions& options = {});

} // namespace quantscope::eval
