// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/check.h"

#include "kernels/check/support.h"

#include <utility>

namespace quantscope::kernels {

std::vector<CheckResult> run_checks(unsigned seed, const std::string& only) {
    std::mt19937 random(seed);
    CheckList results{only, {}};
    check_rows(random, results);
    check_bias(random, results);
    check_tokens(random, results);
    check_load(random, results);
    check_attention(random, results);
    check_gemm(random, results);
    check_wgmma(random, results);
    check_step(random, results);
    return std::move(results.results);
}

} // namespace quantscope::kernels
