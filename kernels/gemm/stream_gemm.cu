// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/stream_gemm.h"

#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"
#include "kernels/base/launch.h"
#include "kernels/gemm/fragments.cuh"
#include "kernels/gemm/product_arguments.h"

#include <algorithm>

namespace quantscope::kernels {
namespace {

constexpr int warps = 16;
constexpr int threads = warps * 32;
/// Bytes a warp keeps in flight. A Hopper SM reads some 34 bytes a nanosecond with some 800 ns of latency, so
/// it needs about 28 KB in flight; more covers the wait for the previous kernel and the reduction between row
/// tiles. Halves: more than half of a Hopper SM's shared memory is asked for, so that the blocks of the next
/// kernel that start early do not come to stand two on one SM and none on another.
constexpr int ring_bytes_a_warp(WeightFormat format, int blocks_of_8) {
    return format != WeightFormat::f16 ? 5120 : blocks_of_8 == 1 ? 8192 : 6144;
}

using Arguments = ProductArguments;

/// A warp's private stream of weight tiles: the lane that copies a vector is the lane that consumes it, so no
/// barrier is ever needed. Tiles come in the order (row tile, column tile) in which the warp multiplies them.
template<WeightFormat format, int ring_bytes>
class WeightRing {
  public:
    static constexpr int vectors = Tile<format>::vectors;
    static constexpr int stages = ring_bytes / tile_bytes(format);

    __device__ WeightRing(uint4* storage, const Arguments& arguments, int warp, int lane)
        : storage_(storage), tiles_(arguments.tiles), lane_(lane), row_tile_(blockIdx.x), col_tile_(warp),
          warp_(warp), row_tiles_(arguments.row_tiles), col_tiles_(arguments.col_tiles) {
#pragma unroll
        for (int stage = 0; stage < stages - 1; ++stage)
            produce(stage);
        write_ = stages - 1;
    }

    /// The next tile's vectors of this lane; starts the copy that follows the last one in flight.
    __device__ void next(uint4 (&tile)[vectors]) {
        wait_copies<stages - 2>();
        const uint4* const stage = storage_ + read_ * vectors * 32 + lane_;
#pragma unroll
        for (int v = 0; v < vectors; ++v)
            tile[v] = stage[v * 32];
        read_ = read_ + 1 == stages ? 0 : read_ + 1;
        produce(write_);
        write_ = write_ + 1 == stages ? 0 : write_ + 1;
    }

  private:
    __device__ void produce(int stage) {
        if (row_tile_ < row_tiles_ && col_tile_ < col_tiles_) {
            const std::size_t tile = static_cast<std::size_t>(row_tile_) * col_tiles_ + col_tile_;
            const std::uint8_t* const from = tiles_ + tile * tile_bytes(format) + lane_ * 16;
#pragma unroll
            for (int v = 0; v < vectors; ++v)
                copy_async16(storage_ + (stage * vectors + v) * 32 + lane_, from + v * 512);
            col_tile_ += warps;
            if (col_tile_ >= col_tiles_) {
                col_tile_ = warp_;
                row_tile_ += static_cast<int>(gridDim.x);
            }
        }
        commit_copies(); // also when empty: groups are counted
    }

    uint4* storage_;
    const std::uint8_t* tiles_;
    int lane_;
    int row_tile_;
    int col_tile_;
    int warp_;
    int row_tiles_;
    int col_tiles_;
    int read_ = 0;
    int write_ = 0;
};

template<WeightFormat format>
__device__ void load_activations(const Arguments& a, int col_tile, int column, int lane,
                                 std::uint32_t (&words)[Tile<format>::act_words]) {
    constexpr int bytes = format == WeightFormat::f16 ? 2 : 1;
    constexpr int vectors = Tile<format>::act_words / 4;
#pragma unroll
    for (int v = 0; v < vectors; ++v) {
        uint4 vector{0, 0, 0, 0};
        if (column < a.batch) {
            const std::size_t row_bytes = static_cast<std::size_t>(a.col_tiles) * 64 * bytes;
            vector = *reinterpret_cast<const uint4*>(a.activations + column * row_bytes +
                                                     (col_tile * 64 + lane % 4 * 16) * bytes + v * 16);
        }
        words[4 * v] = vector.x;
        words[4 * v + 1] = vector.y;
        words[4 * v + 2] = vector.z;
        words[4 * v + 3] = vector.w;
    }
}

/// The one accumulator (silu_mul: the pair) that a thread finishes after a row tile is summed. What it needs
/// from memory is asked for before the products, so that no latency is left when they are done.
template<WeightFormat format, Epilogue epilogue>
class Finisher {
  public:
    /// Accumulator i of lane 4g + t: row g + 8 * (i / 2), column 2t + i % 2; `index` counts [block of
    /// 8][i][lane].
    __device__ Finisher(const Arguments& a, int index)
        : a_(a), i_(index / 32 % 4), row_in_tile_(index % 32 / 4 + 8 * (i_ / 2)),
          column_(index / 128 * 8 + index % 4 * 2 + i_ % 2),
          active_(column_ < a.batch && (epilogue != Epilogue::silu_mul || i_ < 2)) {
        if (active_ && format != WeightFormat::f16)
            act_scale_ = a.act_scales[column_];
    }

    __device__ bool active() const { return active_; }

    __device__ void prefetch(int row_tile) {
        packed_row_ = row_tile * 16 + row_in_tile_;
        const int channels = epilogue == Epilogue::silu_mul ? a_.rows / 2 : a_.rows;
        const int channel = epilogue == Epilogue::silu_mul ? row_tile * 8 + row_in_tile_ : packed_row_;
        writes_ = active_ && channel < channels;
        at_ = static_cast<std::size_t>(column_) * channels + channel;
        if (!writes_)
            return;
        if constexpr (format != WeightFormat::f16) {
            scale_ = __fmul_rn(act_scale_, a_.weight_scales[packed_row_]);
            if constexpr (epilogue == Epilogue::silu_mul)
                up_scale_ = __fmul_rn(act_scale_, a_.weight_scales[packed_row_ + 8]);
        }
        if constexpr (epilogue == Epilogue::add_residual)
            residual_ = static_cast<const float*>(a_.out)[at_];
    }

    __device__ void write(typename Tile<format>::Acc acc, typename Tile<format>::Acc up_acc) const {
        if (!writes_)
            return;
        const float y = scaled(acc, scale_);
        if constexpr (epilogue == Epilogue::store_f16)
            static_cast<__half*>(a_.out)[at_] = __float2half_rn(y);
        else if constexpr (epilogue == Epilogue::store_f32)
            static_cast<float*>(a_.out)[at_] = y;
        else if constexpr (epilogue == Epilogue::add_residual)
            static_cast<float*>(a_.out)[at_] = residual_ + y;
        else
            static_cast<float*>(a_.out)[at_] = silu_times(y, scaled(up_acc, up_scale_));
    }

  private:
    /// The CPU engine's order of operations: (s_x * s_w) * acc.
    static __device__ float scaled(typename Tile<format>::Acc acc, float scale) {
        if constexpr (format == WeightFormat::f16)
            return acc;
        else
            return __fmul_rn(scale, __int2float_rn(Tile<format>::finish(acc)));
    }

    const Arguments& a_;
    int i_;
    int row_in_tile_;
    int column_;
    bool active_;
    bool writes_ = false;
    int packed_row_ = 0;
    std::size_t at_ = 0;
    float act_scale_ = 0.0F;
    float scale_ = 0.0F;
    float up_scale_ = 0.0F;
    float residual_ = 0.0F;
};

/// One block sums row tiles blockIdx.x, blockIdx.x + gridDim.x, ...; its warps take turns along the columns.
template<WeightFormat format, Epilogue epilogue, int blocks_of_8>
__global__ void __launch_bounds__(threads) stream_gemm_kernel(const Arguments a) {
    using Acc = typename Tile<format>::Acc;
    extern __shared__ uint4 shared[];
    constexpr int partials = 4 * 32 * blocks_of_8; // accumulators a warp
    constexpr int ring_bytes = ring_bytes_a_warp(format, blocks_of_8);
    auto* const sums = reinterpret_cast<Acc*>(shared + warps * ring_bytes / 16); // [2][warps][partials]
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;

    WeightRing<format, ring_bytes> ring(shared + warp * ring_bytes / 16, a, warp, lane);
    let_next_kernel_start();
    wait_for_previous_kernel();

    static_assert(partials <= threads);
    Finisher<format, epilogue> finisher(a, threadIdx.x);
    std::uint32_t act[blocks_of_8][Tile<format>::act_words] = {};
    const auto load_batch = [&](int col_tile, auto& to) {
#pragma unroll
        for (int block = 0; block < blocks_of_8; ++block)
            load_activations<format>(a, col_tile, block * 8 + lane / 4, lane, to[block]);
    };
    // int8 activations are asked for a tile ahead; after the last one come the first one's again, for the
    // next row tile. It gained nothing for the other formats (kernels/history/stream_gemm.md).
    constexpr bool ahead = format == WeightFormat::int8;
    if (ahead && warp < a.col_tiles)
        load_batch(warp, act);
    int buffer = 0;
    for (int row_tile = blockIdx.x; row_tile < a.row_tiles; row_tile += gridDim.x, buffer ^= 1) {
        finisher.prefetch(row_tile);
        Acc acc[blocks_of_8][4] = {};
        for (int col_tile = warp; col_tile < a.col_tiles; col_tile += warps) {
            [[maybe_unused]] std::uint32_t next_act[blocks_of_8][Tile<format>::act_words];
            if constexpr (ahead)
                load_batch(col_tile + warps < a.col_tiles ? col_tile + warps : warp, next_act);
            else
                load_batch(col_tile, act);
            uint4 weights[Tile<format>::vectors];
            ring.next(weights);
#pragma unroll
            for (int block = 0; block < blocks_of_8; ++block) {
                Tile<format>::multiply(acc[block], weights, act[block]);
                if constexpr (ahead)
#pragma unroll
                    for (int i = 0; i < Tile<format>::act_words; ++i)
                        act[block][i] = next_act[block][i];
            }
        }
        Acc* const mine = sums + (buffer * warps + warp) * partials;
#pragma unroll
        for (int block = 0; block < blocks_of_8; ++block)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                mine[(block * 4 + i) * 32 + lane] = acc[block][i];
        __syncthreads(); // the other buffer is free: its readers passed the barrier before this one

        if (threadIdx.x < partials && finisher.active()) {
            const auto total = [&](int index) {
                Acc sum = 0;
#pragma unroll
                for (int w = 0; w < warps; ++w)
                    sum += sums[(buffer * warps + w) * partials + index];
                return sum;
            };
            finisher.write(total(threadIdx.x),
                           epilogue == Epilogue::silu_mul ? total(threadIdx.x + 64) : Acc{0});
        }
    }
}

using Kernel = void (*)(Arguments);

template<WeightFormat format, Epilogue epilogue>
Kernel kernel_for_batch(int batch) {
    return batch <= 8    ? stream_gemm_kernel<format, epilogue, 1>
           : batch <= 16 ? stream_gemm_kernel<format, epilogue, 2>
                         : stream_gemm_kernel<format, epilogue, 4>;
}

template<WeightFormat format>
Kernel kernel_for(Epilogue epilogue, int batch) {
    switch (epilogue) {
    case Epilogue::store_f16: return kernel_for_batch<format, Epilogue::store_f16>(batch);
    case Epilogue::store_f32: return kernel_for_batch<format, Epilogue::store_f32>(batch);
    case Epilogue::add_residual: return kernel_for_batch<format, Epilogue::add_residual>(batch);
    case Epilogue::silu_mul: return kernel_for_batch<format, Epilogue::silu_mul>(batch);
    }
    return nullptr;
}

Kernel kernel_for(const StreamGemm& gemm) {
    switch (gemm.weights->format) {
    case WeightFormat::int4: return kernel_for<WeightFormat::int4>(gemm.epilogue, gemm.batch);
    case WeightFormat::int8: return kernel_for<WeightFormat::int8>(gemm.epilogue, gemm.batch);
    case WeightFormat::f16: return kernel_for<WeightFormat::f16>(gemm.epilogue, gemm.batch);
    }
    return nullptr;
}

int shared_bytes_for(WeightFormat format, int batch) {
    const int columns_of_8 = batch <= 8 ? 1 : batch <= 16 ? 2 : 4;
    return warps * ring_bytes_a_warp(format, columns_of_8) + 2 * warps * 4 * 32 * columns_of_8 * 4;
}

} // namespace

Status stream_gemm_fits(WeightFormat format, int batch, bool& fits) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    fits = batch <= max_stream_batch && shared_bytes_for(format, batch) <= device->max_shared_bytes;
    return {};
}

Status stream_gemm(const StreamGemm& gemm, cudaStream_t stream) {
    if (gemm.batch < 1 || gemm.batch > max_stream_batch)
        return {Status::Kind::unsupported, "stream_gemm takes a batch of 1 to " +
                                               std::to_string(max_stream_batch) + ", not " +
                                               std::to_string(gemm.batch)};
    const PackedWeights& weights = *gemm.weights;
    const Arguments arguments = product_arguments(gemm);
    const Kernel kernel = kernel_for(gemm);
    const int shared_bytes = shared_bytes_for(weights.format, gemm.batch);
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    return launch("stream_gemm", kernel, dim3(std::min(weights.row_tiles(), device->multiprocessors)),
                  dim3(threads), shared_bytes, {stream, gemm.overlap_previous}, arguments);
}

void reference_int_product(const std::int8_t* x, const std::int8_t* w, int batch, int rows, int cols,
                           std::int32_t* acc) {
    for (int b = 0; b < batch; ++b) {
        for (int n = 0; n < rows; ++n) {
            std::int32_t sum = 0;
            for (int k = 0; k < cols; ++k)
                sum += static_cast<std::int32_t>(x[static_cast<std::size_t>(b) * cols + k]) *
                       w[static_cast<std::size_t>(n) * cols + k];
            acc[static_cast<std::size_t>(b) * rows + n] = sum;
        }
    }
}

} // namespace quantscope::kernels
