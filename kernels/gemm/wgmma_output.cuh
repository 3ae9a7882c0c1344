// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/exponential.cuh"
#include "kernels/gemm/fragments.cuh"
#include "kernels/gemm/wgmma_heads.cuh"

#include <cstdint>
#include <type_traits>

namespace quantscope::kernels::wgmma_detail {

constexpr int consumers = 256; ///< threads: two warpgroups

/// Shared memory of a warpgroup's outputs: two buffers of 32 batch rows by 64 channels.
constexpr int staging_bytes = 2 * 32 * 64 * 4;

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
    HeadAppend append; ///< without tables: outputs are written as the epilogue says
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

    /// Whether write_staged() takes this output: f32, vectors of four aligned.
    __device__ bool can_stage() const {
        return a_.epilogue != Epilogue::store_f16 &&
               (a_.epilogue == Epilogue::silu_mul ? a_.rows / 2 : a_.rows) % 4 == 0;
    }

    /// The warpgroup's four warps together: through shared memory, so that what a warp writes at once is
    /// contiguous. @param staging staging_bytes of its own; @param barrier of its own
    template<int count>
    __device__ void write_staged(const Acc (&acc)[count], float* staging, int barrier) const {
        if (a_.epilogue == Epilogue::silu_mul)
            write_staged_as<true>(acc, staging, barrier);
        else
            write_staged_as<false>(acc, staging, barrier);
    }

    /// Both warpgroups together: q, k and v, of which a tile is one head. @param staging of both
    template<int count>
    __device__ void write_head(const Acc (&acc)[count], float* staging, int head) const {
        constexpr int width = HeadWriter<consumers>::head_dim;
        const int first_batch_row = batch_row_ - lane_ % 4 * 2;
        HeadWriter<consumers> writer(a_.append, head, first_batch_row, a_.batch,
                                     static_cast<int>(threadIdx.x));
        float scales[8];
        ask_scales(0, scales);
        const int channel = row_tile_ % 8 * 16 + lane_row_;
        float* const put = staging + place(lane_ % 4 * 2, channel, width);
        float* const put_8 = staging + place(lane_ % 4 * 2, channel + 8, width);
        const float* const get = staging + place(writer.row(), writer.element(), width);
#pragma unroll
        for (int chunk = 0; chunk < count / 16; ++chunk) {
            const int buffer = chunk % 2 * (staging_bytes / 4);
            writer.ask();
            float y[16];
            scale_chunk(acc, chunk, scales, y);
            if (chunk + 1 < count / 16)
                ask_scales(chunk + 1, scales);
#pragma unroll
            for (int n = 0; n < 16; ++n)
                (n % 4 < 2 ? put : put_8)[buffer + (n / 4 * 8 + n % 2) * width] = y[n];
            heads_barrier();
            writer.take(get + buffer);
        }
        heads_barrier(); // the next tile begins with the first buffer
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

    template<int count>
    __device__ void write(const Acc (&acc)[count]) const {
#pragma unroll
        for (int chunk = 0; chunk < count / 16; ++chunk) {
            Inputs<16> in;
            ask(chunk * 4, in);
            write(acc + chunk * 16, chunk * 4, in);
        }
    }

  private:
    /// 32 batch rows at a time; two buffers, so that one barrier each is enough.
    template<bool pairs, int count>
    __device__ void write_staged_as(const Acc (&acc)[count], float* staging, int barrier) const {
        constexpr int width = pairs ? 32 : 64; // channels of the warpgroup
        constexpr int vectors = width / 4;     // of four floats a batch row
        constexpr int passes = vectors * 32 / 128;
        const auto thread = static_cast<int>(threadIdx.x) % 128;
        const int channels = pairs ? a_.rows / 2 : a_.rows;
        const int in_group = row_tile_ % 4 * (pairs ? 8 : 16) + lane_row_;
        const int channel = row_tile_ / 4 * width + thread % vectors * 4;
        const int first_batch_row = batch_row_ - lane_ % 4 * 2;
        const int rows = channel < channels ? a_.batch - first_batch_row - thread / vectors : 0;
        const auto step = static_cast<std::ptrdiff_t>(128 / vectors) * channels; // from pass to pass
        float* to = static_cast<float*>(a_.out) +
                    static_cast<std::size_t>(first_batch_row + thread / vectors) * channels + channel;
        const auto writes = [&](int chunk, int pass) { return chunk * 32 + pass * (128 / vectors) < rows; };
        const bool add = a_.epilogue == Epilogue::add_residual;
        float4 before[passes];
        const auto ask = [&](int chunk, const float* from) {
#pragma unroll
            for (int pass = 0; pass < passes; ++pass)
                before[pass] = add && writes(chunk, pass)
                                   ? *reinterpret_cast<const float4*>(from + pass * step)
                                   : float4{0.0F, 0.0F, 0.0F, 0.0F};
        };
        ask(0, to);
        float scales[8];
        ask_scales(0, scales);
        float* const put = staging + place(lane_ % 4 * 2, in_group, width);
        float* const put_8 = staging + place(lane_ % 4 * 2, in_group + 8, width);
        const float* const get = staging + place(thread / vectors, thread % vectors * 4, width);
#pragma unroll
        for (int chunk = 0; chunk < count / 16; ++chunk) {
            const int buffer = chunk % 2 * (staging_bytes / 8);
            float y[16]; // [4j + i], as the accumulators
            scale_chunk(acc, chunk, scales, y);
            if (chunk + 1 < count / 16)
                ask_scales(chunk + 1, scales);
            if constexpr (pairs)
                multiply_pairs(y);
#pragma unroll
            for (int n = 0; n < 16; ++n)
                if (!pairs || n % 4 < 2)
                    (n % 4 < 2 ? put : put_8)[buffer + (n / 4 * 8 + n % 2) * width] = y[n];
            asm volatile("bar.sync %0, 128;" ::"r"(barrier) : "memory");
#pragma unroll
            for (int pass = 0; pass < passes; ++pass) {
                float4 x = *reinterpret_cast<const float4*>(get + buffer + pass * (128 / vectors) * width);
                if (add)
                    x = {before[pass].x + x.x, before[pass].y + x.y, before[pass].z + x.z,
                         before[pass].w + x.w};
                if (writes(chunk, pass))
                    *reinterpret_cast<float4*>(to + pass * step) = x;
            }
            to += passes * step;
            asm volatile("" : "+l"(to)); // else all addresses are computed, and kept, at once
            if (add && chunk + 1 < count / 16)
                ask(chunk + 1, to);
        }
        asm volatile("bar.sync %0, 128;" ::"r"(barrier)
                     : "memory"); // the next tile begins with the first buffer
    }

    static __device__ void heads_barrier() {
        asm volatile("bar.sync 1, %0;" ::"n"(consumers) : "memory");
    }

    /// Where a value stands in a buffer: vectors of four change places, so that no two lanes of an
    /// instruction meet in a bank. 8 rows, and 8 vectors, further on all is the same.
    static __device__ int place(int row, int channel, int width) {
        return row * width + ((channel / 4 ^ row / 2 % 4 * 2) * 4 + channel % 4);
    }

    /// Scales of the batch rows of a chunk: j and i as number 2j + i.
    __device__ void ask_scales(int chunk, float (&scales)[8]) const {
#pragma unroll
        for (int n = 0; n < 8; ++n)
            scales[n] = act_scale(chunk * 4 + n / 2, n % 2);
    }

    /// Sums 16 * chunk .. + 15 times their scales.
    template<int count>
    __device__ void scale_chunk(const Acc (&acc)[count], int chunk, const float (&scales)[8],
                                float (&y)[16]) const {
#pragma unroll
        for (int n = 0; n < 16; ++n)
            y[n] = scaled(acc[chunk * 16 + n], scales[n / 4 * 2 + n % 2], scales_[n / 2 % 2]);
    }

    /// silu(gate) * up in place of each gate.
    static __device__ void multiply_pairs(float (&y)[16]) {
        float gate[8];
        float up[8];
#pragma unroll
        for (int n = 0; n < 8; ++n) {
            gate[n] = y[n / 2 * 4 + n % 2];
            up[n] = y[n / 2 * 4 + 2 + n % 2];
        }
        silu_times_all(gate, up, gate);
#pragma unroll
        for (int n = 0; n < 8; ++n)
            y[n / 2 * 4 + n % 2] = gate[n];
    }

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
    static __device__ float scaled(Acc acc, float act_scale, float weight_scale) {
        if constexpr (format == WeightFormat::f16)
            return acc;
        else
            return __fmul_rn(__fmul_rn(act_scale, weight_scale), __int2float_rn(Tile<format>::finish(acc)));
    }

    const Arguments& a_;
    int row_tile_;
    int batch_row_;
    int lane_;
    int lane_row_;
    float scales_[2] = {0.0F, 0.0F};
};

} // namespace quantscope::kernels::wgmma_detail
