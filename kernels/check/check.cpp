// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/check.h"

#include "kernels/check/support.h"

namespace quantscope::kernels {

std::vector<CheckResult> run_checks(unsigned seed) {
    std::mt19937 random(seed);
    std::vector<CheckResult> results;
    check_rows(random, results);
    check_tokens(random, results);
    check_load(random, results);
    check_attention(random, results);
    check_gemm(random, results);
    return results;
}

} // namespace quantscope::kernels
