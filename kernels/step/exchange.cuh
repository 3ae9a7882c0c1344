// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/step/exchange.h"

namespace quantscope::kernels {

/// The barrier of the block's step_threads threads; the warp that brings the weights takes no part.
struct StepBarrier {
    __device__ void operator()() const { asm volatile("bar.sync 1, %0;" ::"n"(step_threads) : "memory"); }
};

/// What all blocks ask for again and again slows down what they hand to one another: a value that others
/// cannot have ready sooner is not asked for at once.
__device__ inline void let_pass(int clocks) {
    const clock_t start = clock();
    while (clock() - start < clocks)
        ;
}

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

__device__ inline void publish_plain(float* to, float value) {
    const unsigned bits = __float_as_uint(value) == not_there ? 0x7FFFFFFFU : __float_as_uint(value);
    asm volatile("st.relaxed.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(bits) : "memory");
}
__device__ inline void publish_plain(float* to, const float4& four) {
    const auto bits = [](float x) {
        return __float_as_uint(x) == not_there ? 0x7FFFFFFFU : __float_as_uint(x);
    };
    asm volatile("st.relaxed.gpu.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(bits(four.x)),
                 "r"(bits(four.y)), "r"(bits(four.z)), "r"(bits(four.w))
                 : "memory");
}
__device__ inline uint4 look_at_four(const float* at) {
    uint4 four;
    asm volatile("ld.relaxed.gpu.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(four.x), "=r"(four.y), "=r"(four.z), "=r"(four.w)
                 : "l"(at)
                 : "memory");
    return four;
}

/// n vectors of plain values, number i at place(i), all asked for at once. Whole warps, which go on together.
template<int n, class Place>
__device__ void await_plain(const Place& place, float4 (&out)[n]) {
    uint4 four[n];
    unsigned polls = 0;
    bool there = true;
    do {
#pragma unroll
        for (int i = 0; i < n; ++i)
            four[i] = look_at_four(place(i));
        there = true;
#pragma unroll
        for (int i = 0; i < n; ++i)
            there &= four[i].x != not_there && four[i].y != not_there && four[i].z != not_there &&
                     four[i].w != not_there;
        there = __all_sync(0xFFFFFFFFU, there);
    } while (ask_again(there, polls));
#pragma unroll
    for (int i = 0; i < n; ++i)
        out[i] = {__uint_as_float(four[i].x), __uint_as_float(four[i].y), __uint_as_float(four[i].z),
                  __uint_as_float(four[i].w)};
}
/// One plain value, if it is there.
__device__ inline float look_at_plain(const float* at) {
    float value = 0.0F;
    asm volatile("ld.relaxed.gpu.global.f32 %0, [%1];" : "=f"(value) : "l"(at) : "memory");
    return value;
}
__device__ inline float await_plain(const float* at) {
    float value = 0.0F;
    unsigned polls = 0;
    do
        value = look_at_plain(at);
    while (ask_again(__float_as_uint(value) != not_there, polls));
    __syncwarp(__activemask());
    return value;
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

} // namespace quantscope::kernels
