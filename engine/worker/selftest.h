// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/device_checks.h"
#include "engine/base/error.h"

#include <filesystem>
#include <functional>
#include <string>

namespace quantscope::worker {

struct SelftestOptions {
    std::string backend = "auto";   ///< the one under test
    std::filesystem::path model;    ///< folder of a small model
    std::filesystem::path problems; ///< whose prompts are completed
    int limit = 0;                  ///< problems at most; 0: all
    unsigned seed = 0;              ///< of the kernels' random inputs
    /// Its logits lie so close that greedy completions part here and there: at near ties they may, however
    /// many. The kernels' own checks are left out.
    bool random_model = false;
};

/// Tests a backend against its references, and calls `on_check` as each check ends:
///   every CUDA kernel against its CPU reference                            (cuda)
///   each scheme's logits and greedy completions against the CPU engine's   (any backend but cpu)
///   each scheme's logits in batches of 3, 8, 32 and 64 against batch 1, bit for bit
///   a session that is larger than the device is refused with `oom`, and the others go on
/// Returns the name of the device tested. Errors: those of opening model, problems and backend; a check that
/// fails is no error.
Expected<std::string> run_selftest(const SelftestOptions& options,
                                   const std::function<void(const DeviceCheck&)>& on_check);

} // namespace quantscope::worker
