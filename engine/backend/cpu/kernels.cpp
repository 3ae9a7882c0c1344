// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels.h"

#include <cstdlib>
#include <cstring>

namespace quantscope::cpu {

extern const Kernels kernels_portable;
#if defined(__x86_64__)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

namespace {

/// Every processor with AVX2 and FMA has F16C too, which clang's builtin cannot be asked about.
bool runs_here(const Kernels& set) {
#if defined(__x86_64__)
    if (&set == &kernels_avx512) {
        return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
               __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
               __builtin_cpu_supports("avx512vnni") != 0;
    }
    if (&set == &kernels_avx2) {
        return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    }
#endif
    return &set == &kernels_portable;
}

constexpr const Kernels* all_sets[] = {
#if defined(__x86_64__)
    &kernels_avx512,
    &kernels_avx2,
#endif
    &kernels_portable,
};

const Kernels& choose() {
    const char* const wanted = std::getenv("QUANTSCOPE_CPU_ISA");
    if (wanted != nullptr) {
        if (const Kernels* const set = kernels_named(wanted)) {
            return *set;
        }
    }
    for (const Kernels* const set : all_sets) {
        if (runs_here(*set)) {
            return *set;
        }
    }
    return kernels_portable;
}

} // namespace

const Kernels* kernels_named(const char* name) {
    for (const Kernels* const set : all_sets) {
        if (std::strcmp(set->name, name) == 0 && runs_here(*set)) {
            return set;
        }
    }
    return nullptr;
}

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

} // namespace quantscope::cpu
