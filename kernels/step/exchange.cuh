// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/step/exchange.h"

namespace quantscope::kernels {

/// The barrier of the block's step_threads threads; the warp that brings the weights takes no part.
struct StepBarrier {
    __device__ void operator()() const { asm volatile("bar.sync 1, %0;" ::"n"(step_threads) : "memory"); }
};

constexpr unsigned max_polls = 1U << 24U; ///< some ten seconds: then an error is better than a hang

/// Whether to ask once more; a value that never comes ends the kernel.
__device__ inline bool ask_again(bool there, unsigned& polls) {
    if (!there && ++polls == max_polls)
        __trap();
    return !there;
}

__device__ inline Tagged tagged(unsigned value, unsigned tag) {
    return value | static_cast<Tagged>(tag) << 32U;
}
__device__ inline Tagged tagged(float value, unsigned tag) {
    return tagged(__float_as_uint(value), tag);
}
__device__ inline unsigned tag_of(Tagged word) {
    return static_cast<unsigned>(word >> 32U);
}
__device__ inline float value_of(Tagged word) {
    return __uint_as_float(static_cast<unsigned>(word));
}

__device__ inline void publish(Tagged* to, float value, unsigned tag) {
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(to), "l"(tagged(value, tag)) : "memory");
}
__device__ inline void publish_pair(Tagged* to, float first, float second, unsigned tag) {
    asm volatile("st.relaxed.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(to), "l"(tagged(first, tag)),
                 "l"(tagged(second, tag))
                 : "memory");
}

__device__ inline Tagged look(const Tagged* at) {
    Tagged word = 0;
    asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(word) : "l"(at) : "memory");
    return word;
}
__device__ inline ulonglong2 look_at_pair(const Tagged* at) {
    ulonglong2 pair;
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(pair.x), "=l"(pair.y)
                 : "l"(at)
                 : "memory");
    return pair;
}

__device__ inline float await(const Tagged* at, unsigned tag) {
    Tagged word = 0;
    unsigned polls = 0;
    do
        word = look(at);
    while (ask_again(tag_of(word) == tag, polls));
    __syncwarp(__activemask());
    return value_of(word);
}

/// n pairs, number i at place(i), all asked for at once. Whole warps, which go on together: what diverges
/// here would shuffle slowly ever after.
template<int n, class Place>
__device__ void await_pairs(const Place& place, unsigned tag, float2 (&out)[n]) {
    ulonglong2 pair[n];
    unsigned polls = 0;
    bool there = true;
    do {
#pragma unroll
        for (int i = 0; i < n; ++i)
            pair[i] = look_at_pair(place(i));
        there = true;
#pragma unroll
        for (int i = 0; i < n; ++i)
            there &= tag_of(pair[i].x) == tag && tag_of(pair[i].y) == tag;
        there = __all_sync(0xFFFFFFFFU, there);
    } while (ask_again(there, polls));
#pragma unroll
    for (int i = 0; i < n; ++i)
        out[i] = {value_of(pair[i].x), value_of(pair[i].y)};
}

/// Three words of codes and their tag, written and read at once.
struct Pack {
    std::uint64_t lower;
    std::uint64_t upper;

    __device__ unsigned tag() const { return static_cast<unsigned>(upper >> 32U); }
    __device__ unsigned word(int i) const {
        return static_cast<unsigned>(i == 0 ? lower : i == 1 ? lower >> 32U : upper);
    }
};
__device__ inline void publish(void* to, unsigned a, unsigned b, unsigned c, unsigned tag) {
    asm volatile("{\n"
                 ".reg .b128 pack;\n"
                 "mov.b128 pack, {%1, %2};\n"
                 "st.relaxed.gpu.global.b128 [%0], pack;\n"
                 "}" ::"l"(to),
                 "l"(a | static_cast<std::uint64_t>(b) << 32U), "l"(tagged(c, tag))
                 : "memory");
}
__device__ inline Pack look_at_pack(const void* at) {
    Pack pack;
    asm volatile("{\n"
                 ".reg .b128 pack;\n"
                 "ld.relaxed.gpu.global.b128 pack, [%2];\n"
                 "mov.b128 {%0, %1}, pack;\n"
                 "}"
                 : "=l"(pack.lower), "=l"(pack.upper)
                 : "l"(at)
                 : "memory");
    return pack;
}

} // namespace quantscope::kernels
