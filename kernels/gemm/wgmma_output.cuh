// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/gemm/fragments.cuh"
#include "kernels/gemm/stream_gemm.h"

#include <cstdint>
#include <type_traits>

namespace quantscope::kernels::wgmma_detail {

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
    std::int32_t* sums;
    std::int32_t* arrived;
};

/// Writes a warp's accumulators: those of 16 weight rows and 2 * count batch rows. Lane 4g + t holds weight
/// rows g (i = 0, 1) and g + 8 (i = 2, 3) of batch rows 8j + 2t + i % 2 as number 4j + i.
template<WeightFormat format>
class Output {
  public:
    using Acc = typename Tile<format>::Acc;

    __device__ Output(const Arguments& a, int row_tile, int first_batch_row, int lane)
        : a_(a), row_tile_(row_tile), batch_row_(first_batch_row + lane % 4 * 2), lane_row_(lane / 4) {
        if constexpr (format != WeightFormat::f16) {
            scales_[0] = a.weight_scales[row_tile * 16 + lane_row_];
            scales_[1] = a.weight_scales[row_tile * 16 + lane_row_ + 8];
        }
    }

    template<int count>
    __device__ void write(const Acc (&acc)[count]) const {
        switch (a_.epilogue) {
        case Epilogue::store_f16: write_as<Epilogue::store_f16>(acc); break;
        case Epilogue::store_f32: write_as<Epilogue::store_f32>(acc); break;
        case Epilogue::add_residual: write_as<Epilogue::add_residual>(acc); break;
        case Epilogue::silu_mul: write_as<Epilogue::silu_mul>(acc); break;
        }
    }

  private:
    template<Epilogue epilogue, int count>
    __device__ void write_as(const Acc (&acc)[count]) const {
        constexpr bool pairs = epilogue == Epilogue::silu_mul;
        const int channels = pairs ? a_.rows / 2 : a_.rows;
        const int channel = row_tile_ * (pairs ? 8 : 16) + lane_row_;
        const bool present[2] = {channel < channels, !pairs && channel + 8 < channels};
        using Out = std::conditional_t<epilogue == Epilogue::store_f16, __half, float>;
        Out* const out =
            static_cast<Out*>(a_.out) + static_cast<std::size_t>(batch_row_) * channels + channel;
        const auto at = [&](int j, int i) -> Out& { return out[(j * 8 + i % 2) * channels + i / 2 * 8]; };
#pragma unroll
        for (int chunk = 0; chunk < count / 16; ++chunk) {
            [[maybe_unused]] float before[16];
            if constexpr (epilogue == Epilogue::add_residual) {
#pragma unroll
                for (int n = 0; n < 16; ++n)
                    before[n] = is_in(chunk * 4 + n / 4, n) && present[n / 2 % 2]
                                    ? at(chunk * 4 + n / 4, n % 4)
                                    : 0.0F;
            }
#pragma unroll
            for (int n = 0; n < 16; ++n) {
                const int j = chunk * 4 + n / 4;
                const int i = n % 4;
                if (!is_in(j, i) || !present[i / 2])
                    continue;
                const float y = scaled(acc[4 * j + i], j, i);
                if constexpr (epilogue == Epilogue::store_f16)
                    at(j, i) = __float2half_rn(y);
                else if constexpr (epilogue == Epilogue::store_f32)
                    at(j, i) = y;
                else if constexpr (epilogue == Epilogue::add_residual)
                    at(j, i) = before[n] + y;
                else if (i < 2)
                    at(j, i) = silu_times(y, scaled(acc[4 * j + (i + 2) % 4], j, i + 2));
            }
        }
    }

    __device__ bool is_in(int j, int i) const {
        return batch_row_ + j * 8 + i % 2 < a_.batch;
    }

    /// The CPU engine's order of operations: (s_x * s_w) * acc.
    __device__ float scaled(Acc acc, int j, int i) const {
        if constexpr (format == WeightFormat::f16)
            return acc;
        else
            return __fmul_rn(__fmul_rn(__ldg(a_.act_scales + batch_row_ + j * 8 + i % 2), scales_[i / 2]),
                             __int2float_rn(Tile<format>::finish(acc)));
    }

    const Arguments& a_;
    int row_tile_;
    int batch_row_;
    int lane_row_;
    float scales_[2] = {0.0F, 0.0F};
};

} // namespace quantscope::kernels::wgmma_detail
