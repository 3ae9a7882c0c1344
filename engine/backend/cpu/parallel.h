// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace quantscope::cpu {

/// Threads that parallel_for() uses: the processors this process may run on, or QUANTSCOPE_THREADS.
int thread_count();

/// A number in [0, thread_count()) that no other thread has while a body runs: for scratch memory.
int thread_index();

/// Runs body(context, i) for i in [0, count) on all threads. The caller takes part and waits only for helpers
/// that have begun an index: where other processes hold the cores (verdicts run beside the engine), a helper
/// that is not scheduled delays nobody. That is why this is no OpenMP team, whose members all meet at a
/// barrier.
void run_parallel(std::int64_t count, void (*body)(const void* context, std::int64_t index),
                  const void* context);

/// Calls body(i) for i in [0, count), on several threads when `worthwhile`. Which thread takes which i is
/// open, so a body's result must not depend on it. The body must not throw.
template<class Body>
void parallel_for(std::int64_t count, bool worthwhile, const Body& body) {
    if (!worthwhile || count < 2) {
        for (std::int64_t i = 0; i < count; ++i) {
            body(i);
        }
        return;
    }
    run_parallel(
        count, [](const void* context, std::int64_t i) { (*static_cast<const Body*>(context))(i); }, &body);
}

} // namespace quantscope::cpu
