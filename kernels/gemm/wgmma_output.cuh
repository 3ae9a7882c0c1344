// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/base/tensor_map.h"
#include "kernels/gemm/fragments.cuh"
#include "kernels/gemm/multiply.h"

#include <cstdint>
#include <type_traits>

namespace quantscope::kernels::wgmma_detail {

constexpr int consumers = 256; ///< threads: two warpgroups

__device__ inline void consumer_barrier() {
    asm volatile("bar.sync 1, %0;" ::"n"(consumers) : "memory");
}

/// What leaves a block (Outbox).
enum class OutputForm {
    floats,
    halves,
    pairs, ///< floats of Epilogue::silu_mul
    heads, ///< of q, k and v, of which a tile is one: RoPE, and k and v to the cache
};

struct Arguments {
    const std::uint8_t* tiles;
    const float* weight_scales;
    const std::uint8_t* activations; ///< RowLayout::slabs
    const float* act_scales;
    void* out;
    int rows;
    int row_tiles;
    int col_tiles;
    int batch;
    Epilogue epilogue;
    int slabs;
    int row_blocks;
    int batch_blocks;
    int code_shift; ///< of what the codes are multiplied by, as a power of two
    float unit;     ///< of the sums: 2^-code_shift, times 2^-4 for int4
    std::int32_t* sums;
    std::int32_t* arrived;
    CUtensorMap out_map; ///< of `out`, in boxes of `form`, if it could be mapped
    bool mapped;
    OutputForm form;
    HeadAppend append; ///< for OutputForm::heads
};

/// Writes a warp's accumulators: those of 16 weight rows and 2 * count batch rows. Lane 4g + t holds weight
/// rows g (i = 0, 1) and g + 8 (i = 2, 3) of batch rows 8j + 2t + i % 2 as number 4j + i.
template<WeightFormat format>
class Output {
  public:
    using Acc = typename Tile<format>::Acc;

    __device__ Output(const Arguments& a, int row_tile, int first_batch_row, int lane)
        : a_(a), row_tile_(row_tile), batch_row_(first_batch_row + lane % 4 * 2), lane_(lane),
          lane_row_(lane / 4) {
        if (format != WeightFormat::f16 && row_tile < a.row_tiles) {
            scales_[0] = a.weight_scales[row_tile * 16 + lane_row_];
            scales_[1] = a.weight_scales[row_tile * 16 + lane_row_ + 8];
        }
    }

    /// What `count` accumulators need from memory: to be asked for before they are done.
    template<int count>
    struct Inputs {
        float scales[count / 2];
        float before[count];
    };

    /// Of accumulators 4 * first_j and on.
    template<int count>
    __device__ void ask(int first_j, Inputs<count>& in) const {
        const Place place = place_of();
#pragma unroll
        for (int n = 0; n < count / 2; ++n)
            in.scales[n] = act_scale(first_j + n / 2, n % 2);
#pragma unroll
        for (int n = 0; n < count; ++n)
            in.before[n] =
                a_.epilogue == Epilogue::add_residual && is_in(first_j + n / 4, n) && place.present[n / 2 % 2]
                    ? static_cast<const float*>(a_.out)[place.at(first_j + n / 4, n % 4)]
                    : 0.0F;
    }

    template<int count>
    __device__ void write(const Acc* acc, int first_j, const Inputs<count>& in) const {
        switch (a_.epilogue) {
        case Epilogue::store_f16: write_as<Epilogue::store_f16>(acc, first_j, in); break;
        case Epilogue::store_f32: write_as<Epilogue::store_f32>(acc, first_j, in); break;
        case Epilogue::add_residual: write_as<Epilogue::add_residual>(acc, first_j, in); break;
        case Epilogue::silu_mul: write_as<Epilogue::silu_mul>(acc, first_j, in); break;
        }
    }

  private:
    __device__ float act_scale(int j, int i) const {
        return format != WeightFormat::f16 && is_in(j, i) ? __ldg(a_.act_scales + batch_row_ + j * 8 + i)
                                                          : 0.0F;
    }

    /// Where this lane's outputs stand, and which of its two rows exist.
    struct Place {
        std::size_t first;
        int channels;
        bool present[2];
        __device__ std::size_t at(int j, int i) const {
            return first + static_cast<std::size_t>(j * 8 + i % 2) * channels + i / 2 * 8;
        }
    };
    __device__ Place place_of() const {
        const bool pairs = a_.epilogue == Epilogue::silu_mul;
        const int channels = pairs ? a_.rows / 2 : a_.rows;
        const int channel = row_tile_ * (pairs ? 8 : 16) + lane_row_;
        return {static_cast<std::size_t>(batch_row_) * channels + channel,
                channels,
                {channel < channels, !pairs && channel + 8 < channels}};
    }

    template<Epilogue epilogue, int count>
    __device__ void write_as(const Acc* acc, int first_j, const Inputs<count>& in) const {
        constexpr bool pairs = epilogue == Epilogue::silu_mul;
        const Place place = place_of();
#pragma unroll
        for (int n = 0; n < count; ++n) {
            const int j = first_j + n / 4;
            const int i = n % 4;
            if ((pairs && i >= 2) || !is_in(j, i) || !place.present[i / 2])
                continue;
            const float act_scale = in.scales[n / 4 * 2 + i % 2];
            const float y = scaled(acc[n], act_scale, scales_[i / 2]);
            const std::size_t at = place.at(j, i);
            if constexpr (epilogue == Epilogue::store_f16)
                static_cast<__half*>(a_.out)[at] = __float2half_rn(y);
            else if constexpr (epilogue == Epilogue::store_f32)
                static_cast<float*>(a_.out)[at] = y;
            else if constexpr (epilogue == Epilogue::add_residual)
                static_cast<float*>(a_.out)[at] = in.before[n] + y;
            else
                static_cast<float*>(a_.out)[at] =
                    silu_times(y, scaled(acc[(n + 2) % count], act_scale, scales_[1]));
        }
    }

    __device__ bool is_in(int j, int i) const {
        return batch_row_ + j * 8 + i % 2 < a_.batch;
    }

    /// The CPU engine's order of operations: (s_x * s_w) * acc.
    __device__ float scaled(Acc acc, float act_scale, float weight_scale) const {
        if constexpr (format == WeightFormat::f16)
            return acc;
        else
            return __fmul_rn(__fmul_rn(act_scale, weight_scale),
                             __int2float_rn(Tile<format>::finish(acc, a_.code_shift)));
    }

    const Arguments& a_;
    int row_tile_;
    int batch_row_;
    int lane_;
    int lane_row_;
    float scales_[2] = {0.0F, 0.0F};
};

} // namespace quantscope::kernels::wgmma_detail
