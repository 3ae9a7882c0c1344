// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/problems.h"
#include "engine/eval/verdict_pool.h"

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace quantscope::eval {

struct CanonicalCheckOptions {
    /// Where passes are remembered, one file a sandbox configuration; empty: nowhere.
    std::filesystem::path cache;
    std::function<void(int done, int total)> on_progress; ///< on the calling thread, about every 100 ms
    std::function<bool()> cancelled;                      ///< asked as often
};

/// The user's cache folder for it: $XDG_CACHE_HOME/quantscope, else ~/.cache/quantscope; empty without a
/// home.
[[nodiscard]] std::filesystem::path canonical_check_cache();

/// Runs each problem's canonical solution against its test, as a sample's completion is run, apart from it if
/// that works, else together with it: where neither does not pass, no sample of the problem can be judged
/// here (a package that the test imports is missing, a limit is too small, the file is wrong). A problem with
/// a blank canonical solution is judged if its test can at least be loaded. Passes are remembered by problem,
/// harness, limits and interpreter; what did not pass is tried again the next time. `sandbox` is the pool's.
/// Returns one check a problem, in their order. Errors: cancelled.
[[nodiscard]] Expected<std::vector<ProblemCheck>>
check_canonical_solutions(VerdictPool& pool, const Sandbox& sandbox, std::span<const Problem> problems,
                          const CanonicalCheckOptions& options = {});

/// "3 problems cannot be judged here: ModuleNotFoundError: No module named 'numpy'", with the commonest of
/// the reasons; empty when all can be judged.
[[nodiscard]] std::string unjudged_sentence(std::span<const ProblemCheck> checks);

} // namespace quantscope::eval
