// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/rows/row_transform.h"
#include "kernels/step/step_attention.cuh"
#include "kernels/step/step_plan.cuh"
#include "kernels/step/weight_stream.cuh"

#include <algorithm>

namespace quantscope::kernels {

/// The block's dynamic shared memory: offsets are constants, so that they cost no registers.
__device__ inline char* step_shared() {
    extern __shared__ __align__(128) char step_shared_memory[];
    return step_shared_memory;
}

/// What stands where in it, in bytes.
template<WeightFormat format>
struct SharedMap {
    using Ring = WeightRing<6>;
    static constexpr int scale_slots = format == WeightFormat::f16 ? 0 : weight_scale_slots;
    static constexpr int max_residuals = step_threads / 4;

    /// Row tiles between two barriers of a block; even.
    static constexpr int set_tiles = format == WeightFormat::int4 ? 4 : 2;
    static constexpr int sums_bytes = 2 * 16 * 4 * set_tiles * step_warps;

    static constexpr int sums = Ring::bytes;                          ///< SetSums
    static constexpr int weight_scales = sums + sums_bytes;           ///< [scale_slots][16]
    static constexpr int residual = weight_scales + scale_slots * 64; ///< [own row tiles][16]
    static constexpr int scales = residual + max_residuals * 4;       ///< of the codes
    static constexpr int scratch = scales + 64;                       ///< 2 x 32 floats
    static constexpr int state = scratch + 2 * 128;                   ///< StepState
    static constexpr int ring_barriers = state + (sizeof(StepState) + 127) / 128 * 128;
    static constexpr int plan = ring_barriers + (Ring::barrier_bytes + 15) / 16 * 16; ///< StepPlan
    static constexpr int codes = (plan + StepPlan::bytes(max_step_linears) + 127) / 128 * 128;

    /// Codes of the row and the zeros that fill the groups of all warps, so that all multiply alike.
    __host__ __device__ static constexpr int code_cols(int cols, bool halves) {
        const int round = step_warps * group_tiles(halves ? WeightFormat::f16 : format) * 64;
        return (cols + round - 1) / round * round;
    }
    static constexpr std::size_t code_bytes(int cols, bool halves) {
        return static_cast<std::size_t>(code_cols(cols, halves)) * (halves ? 2 : 1);
    }
    /// Of all; codes share their place with the attention's.
    static std::size_t total(const StepShape& s) {
        constexpr bool f16 = format == WeightFormat::f16;
        const int attended = s.hidden > s.attended() ? s.hidden : s.attended();
        const int widest = attended > s.intermediate ? attended : s.intermediate;
        const std::size_t attention =
            StepAttention<128>::shared_bytes(s.attention.heads / s.attention.kv_heads);
        return codes + std::max({code_bytes(widest, f16), code_bytes(s.hidden, true), attention});
    }

    static __device__ Ring ring() {
        return {step_shared(), step_shared() + weight_scales, step_shared() + ring_barriers};
    }

    template<class T>
    static __device__ T* at(int offset) {
        return reinterpret_cast<T*>(step_shared() + offset);
    }
};

} // namespace quantscope::kernels
