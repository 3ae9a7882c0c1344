// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace quantscope::cpu {

/// Calls body(i) for i in [0, count), on several threads when `worthwhile`: waking and joining a team costs
/// microseconds, and far more while other processes hold the cores. Which thread takes which i is open, so a
/// body's result must not depend on it. The body must not throw.
template<class Body>
void parallel_for(std::int64_t count, bool worthwhile, const Body& body) {
#pragma omp parallel for schedule(dynamic) if (worthwhile && count > 1)
    for (std::int64_t i = 0; i < count; ++i) {
        body(i);
    }
}

} // namespace quantscope::cpu
