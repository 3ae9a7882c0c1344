// SPDX-License-Identifier: Apache-2.0
// Only for kernels_<isa>.cpp. Everything has internal linkage: these files are compiled for different
// instruction sets, and an inline function shared between them could end up built for the wrong one.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace quantscope::cpu {
namespace {

using f32x16 = float __attribute__((vector_size(64)));
using i32x16 = std::int32_t __attribute__((vector_size(64)));
using i8x16 = std::int8_t __attribute__((vector_size(16)));
using i8x64 = std::int8_t __attribute__((vector_size(64)));
using u8x64 = std::uint8_t __attribute__((vector_size(64)));

#define QS_INLINE [[gnu::always_inline]] inline

template<class T>
QS_INLINE T load(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template<class T>
QS_INLINE void store(void* to, T value) {
    std::memcpy(to, &value, sizeof value);
}

template<class T>
QS_INLINE T load_first(const void* from, std::int64_t lanes, T rest) {
    std::memcpy(&rest, from, static_cast<std::size_t>(lanes) * sizeof(rest[0]));
    return rest;
}

// std::min and std::max are inline functions that other files share.
template<class T>
QS_INLINE T smaller(T a, T b) {
    return b < a ? b : a;
}

QS_INLINE f32x16 maximum(f32x16 a, f32x16 b) {
    return a > b ? a : b;
}

/// Lanes are combined in a fixed tree: 8 and 8, 4 and 4, 2 and 2, 1 and 1.
template<class Combine>
QS_INLINE float fold_lanes(f32x16 v, Combine combine) {
    v = combine(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    v = combine(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    v = combine(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    v = combine(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
    return v[0];
}
QS_INLINE float sum_lanes(f32x16 v) {
    return fold_lanes(v, [](f32x16 a, f32x16 b) { return a + b; });
}
QS_INLINE float max_lanes(f32x16 v) {
    return fold_lanes(v, [](f32x16 a, f32x16 b) { return maximum(a, b); });
}

/// a * b + c, rounded once. Without the instruction: the product is exact in double, and a sum rounded to odd
/// there rounds to float as the exact one would.
QS_INLINE float fused(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
    return __builtin_fmaf(a, b, c);
#else
    const double product = static_cast<double>(a) * b;
    const double sum = product + c;
    const double rest = sum - product;
    const double lost = (product - (sum - rest)) + (c - rest);
    auto bits = load<std::uint64_t>(&sum);
    const bool inexact = lost > 0.0 || lost < 0.0; // false for NaN
    if (inexact && (bits & 1U) == 0) {
        bits += (lost > 0.0) == (sum > 0.0) ? std::uint64_t{1} : ~std::uint64_t{0};
    }
    return static_cast<float>(load<double>(&bits));
#endif
}

/// 16 floats on their way through fused operations. GCC 12 keeps vectors that are wider than a register in
/// memory and calls intrinsics on copies of their halves, so with AVX2 they are two registers by name.
#if defined(__FMA__) && !defined(__AVX512F__)
using f32x8 = float __attribute__((vector_size(32)));
using i32x8 = std::int32_t __attribute__((vector_size(32)));
struct Wide {
    f32x8 low;
    f32x8 high;
};
QS_INLINE f32x8 fused(f32x8 a, f32x8 b, f32x8 c) {
    return (f32x8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
QS_INLINE Wide fused(Wide a, float b, Wide c) {
    return {fused(a.low, f32x8{} + b, c.low), fused(a.high, f32x8{} + b, c.high)};
}
QS_INLINE Wide operator+(Wide a, Wide b) {
    return {a.low + b.low, a.high + b.high};
}
QS_INLINE Wide operator*(Wide a, float b) {
    return {a.low * b, a.high * b};
}
#else
using Wide = f32x16;
QS_INLINE f32x16 fused(f32x16 a, f32x16 b, f32x16 c) {
#if defined(__AVX512F__)
    return (f32x16)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    for (int i = 0; i < 16; ++i) {
        c[i] = fused(a[i], b[i], c[i]);
    }
    return c;
#endif
}
QS_INLINE Wide fused(Wide a, float b, Wide c) {
    return fused(a, f32x16{} + b, c);
}
#endif

/// a * b + c, rounded once where that is as fast.
QS_INLINE Wide multiply_add(Wide a, float b, Wide c) {
#if defined(__FP_FAST_FMAF)
    return fused(a, b, c);
#else
    return a * b + c;
#endif
}

QS_INLINE f32x16 absolute(f32x16 v) {
    return (f32x16)((i32x16)v & 0x7fffffff);
}

/// Round half to even, exact for |v| < 2^22.
QS_INLINE f32x16 round_even(f32x16 v) {
    const float magic = 12582912.0F; // 1.5 * 2^23
    return (v + magic) - magic;
}

/// e^v to about 2 units in the last place (range reduction by ln 2, polynomial of degree 7); v is clamped to
/// where the result is a normal number. kernels/base/exponential.cuh has the same bits.
template<class Floats, class Integers>
QS_INLINE Floats exponential_of(Floats v) {
    const auto all = [](float x) { return Floats{} + x; };
    const float magic = 12582912.0F; // 1.5 * 2^23: adding it rounds to an integer, half to even
    v = v > all(-87.0F) ? v : all(-87.0F);
    v = v < all(88.0F) ? v : all(88.0F);
    const Floats shifted = fused(v, all(1.44269504F), all(magic));
    const Floats n = shifted - magic;
    const Floats r = fused(n, all(2.12194440e-4F), fused(n, all(-0.693359375F), v)); // ln 2 in two parts
    Floats p = fused(r, all(1.0F / 5040.0F), all(1.0F / 720.0F));
    constexpr float rest[] = {1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F, 0.5F, 1.0F, 1.0F};
    for (const float c : rest) {
        p = fused(p, r, all(c));
    }
    return (Floats)((Integers)p + ((Integers)shifted << 23)); // magic's bits are shifted out
}
QS_INLINE f32x16 exponential(f32x16 v) {
#if defined(__FMA__) && !defined(__AVX512F__)
    auto wide = load<Wide>(&v);
    wide = {exponential_of<f32x8, i32x8>(wide.low), exponential_of<f32x8, i32x8>(wide.high)};
    return load<f32x16>(&wide);
#else
    return exponential_of<f32x16, i32x16>(v);
#endif
}

QS_INLINE float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
    const std::uint32_t rest = static_cast<std::uint32_t>(half & 0x7fffU) << 13U;
    float value = load<float>(&rest) * 0x1.0p112F; // rescales normal and subnormal numbers alike
    std::uint32_t bits = load<std::uint32_t>(&value);
    if ((half & 0x7c00U) == 0x7c00U) {
        bits |= 0x7f800000U; // infinity and NaN
    }
    bits |= sign;
    return load<float>(&bits);
}

/// Rounds half to even; beyond the largest half the result is infinite. Not for NaN.
QS_INLINE std::uint16_t float_to_half(float value) {
    const auto bits = load<std::uint32_t>(&value);
    const std::uint32_t magnitude = bits & 0x7fffffffU;
    const std::uint32_t normal = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13U) & 1U)) >> 13U;
    const float shifted =
        load<float>(&magnitude) + 0.5F; // rounds to the multiples of 2^-24 that subnormals are
    const std::uint32_t subnormal = load<std::uint32_t>(&shifted) - 0x3f000000U;
    const std::uint32_t half = magnitude < 0x38800000U ? subnormal : normal < 0x7c00U ? normal : 0x7c00U;
    return static_cast<std::uint16_t>(((bits >> 16U) & 0x8000U) | half);
}

/// 16 numbers as f32, by how they are stored.
struct LoadF32 {
    static constexpr int bytes = 4;
    QS_INLINE static Wide at(const void* from) { return load<Wide>(from); }
};
struct LoadBf16 {
    static constexpr int bytes = 2;
    QS_INLINE static Wide at(const void* from) {
#if defined(__AVX512F__)
        return (f32x16)_mm512_slli_epi32(_mm512_cvtepu16_epi32(load<__m256i>(from)), 16);
#elif defined(__FMA__)
        const auto* bytes = static_cast<const std::uint8_t*>(from);
        return {(f32x8)_mm256_slli_epi32(_mm256_cvtepu16_epi32(load<__m128i>(bytes)), 16),
                (f32x8)_mm256_slli_epi32(_mm256_cvtepu16_epi32(load<__m128i>(bytes + 16)), 16)};
#else
        std::uint16_t halves[16];
        std::memcpy(halves, from, sizeof halves);
        i32x16 bits;
        for (int i = 0; i < 16; ++i) {
            bits[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(halves[i]) << 16U);
        }
        return (f32x16)bits;
#endif
    }
};
struct LoadF16 {
    static constexpr int bytes = 2;
    QS_INLINE static Wide at(const void* from) {
#if defined(__AVX512F__)
        return (f32x16)_mm512_cvtph_ps(load<__m256i>(from));
#elif defined(__FMA__) // and so F16C
        const auto* bytes = static_cast<const std::uint8_t*>(from);
        return {(f32x8)_mm256_cvtph_ps(load<__m128i>(bytes)),
                (f32x8)_mm256_cvtph_ps(load<__m128i>(bytes + 16))};
#else
        std::uint16_t halves[16];
        std::memcpy(halves, from, sizeof halves);
        f32x16 value;
        for (int i = 0; i < 16; ++i) {
            value[i] = half_to_float(halves[i]);
        }
        return value;
#endif
    }
};

struct LoadInt8 {
    static constexpr int bytes = 1;
    QS_INLINE static Wide at(const void* from) {
#if defined(__AVX512F__)
        return (f32x16)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load<__m128i>(from)));
#elif defined(__FMA__)
        const auto* bytes = static_cast<const std::uint8_t*>(from);
        return {
            (f32x8)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(load<long long>(bytes)))),
            (f32x8)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(load<long long>(bytes + 8))))};
#else
        return __builtin_convertvector(load<i8x16>(from), f32x16);
#endif
    }
};

/// acc[lane] += sum of four byte products; see Int8Codes and Int4Codes for how `w` is biased.
QS_INLINE i32x16 dot4(i32x16 acc, i8x64 w, std::int32_t x4) {
#if defined(__AVX512VNNI__)
    return (i32x16)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)w, _mm512_set1_epi32(x4));
#elif defined(__AVX2__)
    // vpmaddubsw saturates at 16 bits. |x| * (w signed by x) cannot reach that: both lie in -127..127,
    // and 2 * 127 * 127 < 32768. So this is exact.
    const __m256i x = _mm256_set1_epi32(x4);
    const __m256i magnitude = _mm256_abs_epi8(x);
    __m256i parts[2];
    __m256i sums[2];
    std::memcpy(parts, &w, sizeof parts);
    std::memcpy(sums, &acc, sizeof sums);
    for (int i = 0; i < 2; ++i) {
        const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(parts[i], x));
        sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    std::memcpy(&acc, sums, sizeof acc);
    return acc;
#else
    std::int8_t x[4];
    std::memcpy(x, &x4, sizeof x);
    for (int lane = 0; lane < 16; ++lane) {
        acc[lane] +=
            w[4 * lane] * x[0] + w[4 * lane + 1] * x[1] + w[4 * lane + 2] * x[2] + w[4 * lane + 3] * x[3];
    }
    return acc;
#endif
}

#if defined(__AVX512VNNI__)
inline constexpr bool unsigned_weights = true; // vpdpbusd multiplies unsigned by signed bytes
#else
inline constexpr bool unsigned_weights = false;
#endif

/// Four vectors of weights (64 columns, 4 consecutive k) as dot4() wants them, biased by +bias; the caller
/// subtracts bias * sum(x).
struct Int8Codes {
    static constexpr std::int32_t bias = unsigned_weights ? 128 : 0;
    static constexpr std::int64_t group_bytes = 256;
    QS_INLINE static void load_group(const std::uint8_t* from, i8x64 (&w)[4]) {
        for (int j = 0; j < 4; ++j) {
            const auto codes = load<u8x64>(from + 64 * j);
            w[j] = (i8x64)(unsigned_weights ? codes ^ 0x80 : codes);
        }
    }
};
struct Int4Codes {
    static constexpr std::int32_t bias = unsigned_weights ? 8 : 0;
    static constexpr std::int64_t group_bytes = 128;
    QS_INLINE static void load_group(const std::uint8_t* from, i8x64 (&w)[4]) {
        for (int j = 0; j < 2; ++j) {
            const auto pairs = load<u8x64>(from + 64 * j);
            w[j] = (i8x64)(pairs & 15);
            w[j + 2] = (i8x64)((pairs >> 4) & 15);
        }
        if constexpr (!unsigned_weights) {
            for (i8x64& codes : w) {
                codes -= 8;
            }
        }
    }
};

} // namespace
} // namespace quantscope::cpu
