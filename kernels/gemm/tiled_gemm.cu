// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/tiled_gemm.h"

#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"
#include "kernels/base/launch.h"
#include "kernels/gemm/fragments.cuh"
#include "kernels/gemm/product_arguments.h"

namespace quantscope::kernels {
namespace {

/// stream_gemm's warps a block: the sum over the columns is made of so many interleaved ones.
constexpr int interleaved_sums = 16;

struct Arguments : ProductArguments {
    Epilogue epilogue;
};

/// The order in which column tiles are multiplied: c, c + 16, c + 32, ... for c = 0 .. 15, stream_gemm's.
class ColumnOrder {
  public:
    __device__ int tile() const { return tile_; }
    /// Whether the next tile belongs to another of the interleaved sums.
    __device__ bool ends_sum(int col_tiles) const { return tile_ + interleaved_sums >= col_tiles; }
    __device__ void advance(int col_tiles) {
        tile_ = ends_sum(col_tiles) ? ++first_ : tile_ + interleaved_sums;
    }

  private:
    int first_ = 0;
    int tile_ = 0;
};

/// How a block divides its work: row_warps x batch_warps warps, each row_tiles x batch_blocks fragments.
template<WeightFormat format_, int row_warps_, int batch_warps_, int row_tiles_, int batch_blocks_,
         int stages_>
struct Blocking {
    static constexpr WeightFormat format = format_;
    static constexpr int row_warps = row_warps_;
    static constexpr int batch_warps = batch_warps_;
    static constexpr int row_tiles = row_tiles_;       ///< tiles of 16 weight rows a warp
    static constexpr int batch_blocks = batch_blocks_; ///< blocks of 8 batch rows a warp
    static constexpr int stages = stages_;
    /// Two blocks an SM hide each other's barriers; sums of halves take too many registers for that.
    static constexpr int blocks_a_multiprocessor = format == WeightFormat::f16 ? 1 : 2;
    static constexpr int threads = row_warps * batch_warps * 32;
    static constexpr int block_row_tiles = row_warps * row_tiles;
    static constexpr int block_batch = batch_warps * batch_blocks * 8;
    static constexpr int act_vectors =
        format == WeightFormat::f16 ? 8 : 4; ///< of 16 bytes, a batch row and tile
    static constexpr int weight_bytes = block_row_tiles * tile_bytes(format);
    static constexpr int stage_bytes = weight_bytes + block_batch * act_vectors * 16;
    static constexpr int shared_bytes = stages * stage_bytes;
};

/// Where vector v of a batch row stands: neighbouring rows of halves swap neighbours, so that a fragment's
/// reads hit all banks.
template<class B>
__device__ int act_place(int row, int v) {
    return row * B::act_vectors + (B::format == WeightFormat::f16 ? v ^ (row & 1) : v);
}

/// 16 bytes to shared memory; zeros, and nothing read, where `present` is false.
__device__ void copy_or_zero16(void* shared, const void* global, bool present) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(address), "l"(global),
                 "r"(present ? 16 : 0)
                 : "memory");
}

template<class B>
__device__ void load_weights(const Arguments& a, uint4* stage, int col_tile) {
    constexpr int tile_vectors = tile_bytes(B::format) / 16;
    for (int i = threadIdx.x; i < B::block_row_tiles * tile_vectors; i += B::threads) {
        const int row_tile = static_cast<int>(blockIdx.y) * B::block_row_tiles + i / tile_vectors;
        const bool present = row_tile < a.row_tiles;
        const std::size_t tile = static_cast<std::size_t>(present ? row_tile : 0) * a.col_tiles + col_tile;
        copy_or_zero16(stage + i, a.tiles + tile * tile_bytes(B::format) + i % tile_vectors * 16, present);
    }
}

template<class B>
__device__ void load_batch(const Arguments& a, uint4* stage, int col_tile) {
    for (int i = threadIdx.x; i < B::block_batch * B::act_vectors; i += B::threads) {
        const int row = i / B::act_vectors;
        const int v = i % B::act_vectors;
        const int batch_row = static_cast<int>(blockIdx.x) * B::block_batch + row;
        const bool present = batch_row < a.batch;
        const std::size_t from =
            (static_cast<std::size_t>(present ? batch_row : 0) * a.col_tiles + col_tile) * B::act_vectors + v;
        copy_or_zero16(stage + B::weight_bytes / 16 + act_place<B>(row, v), a.activations + from * 16,
                       present);
    }
}

/// The warp's fragments of one column tile.
template<class B>
__device__ void multiply_stage(const uint4* stage, int row_warp, int batch_warp, int lane,
                               typename Tile<B::format>::Acc (&acc)[B::row_tiles][B::batch_blocks][4]) {
    using T = Tile<B::format>;
    std::uint32_t act[B::batch_blocks][T::act_words];
#pragma unroll
    for (int block = 0; block < B::batch_blocks; ++block) {
        const int row = (batch_warp * B::batch_blocks + block) * 8 + lane / 4;
#pragma unroll
        for (int v = 0; v < T::act_words / 4; ++v) {
            const uint4 vector =
                stage[B::weight_bytes / 16 + act_place<B>(row, lane % 4 * (T::act_words / 4) + v)];
            act[block][4 * v] = vector.x;
            act[block][4 * v + 1] = vector.y;
            act[block][4 * v + 2] = vector.z;
            act[block][4 * v + 3] = vector.w;
        }
    }
#pragma unroll
    for (int tile = 0; tile < B::row_tiles; ++tile) {
        uint4 weights[T::vectors];
#pragma unroll
        for (int v = 0; v < T::vectors; ++v)
            weights[v] = stage[((row_warp * B::row_tiles + tile) * T::vectors + v) * 32 + lane];
#pragma unroll
        for (int block = 0; block < B::batch_blocks; ++block)
            T::multiply(acc[tile][block], weights, act[block]);
    }
}

/// Writes one fragment: stream_gemm's Finisher, for accumulators that stay in registers.
template<WeightFormat format>
class Writer {
  public:
    using Acc = typename Tile<format>::Acc;
    __device__ explicit Writer(const Arguments& a) : a_(a) {}

    /// @param lane 4g + t: rows g and g + 8 of the tile, batch rows first_batch_row + 2t and the next
    __device__ void write(const Acc (&acc)[4], int row_tile, int first_batch_row, int lane) const {
        const int row = row_tile * 16 + lane / 4;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int batch_row = first_batch_row + lane % 4 * 2 + i;
            if (batch_row >= a_.batch)
                continue;
            const float act_scale = format == WeightFormat::f16 ? 1.0F : a_.act_scales[batch_row];
            const float first = scaled(acc[i], act_scale, row);
            const float second = scaled(acc[i + 2], act_scale, row + 8);
            if (a_.epilogue == Epilogue::silu_mul) {
                const int channel = row_tile * 8 + lane / 4;
                if (channel < a_.rows / 2)
                    static_cast<float*>(a_.out)[at(batch_row, channel, a_.rows / 2)] =
                        silu_times(first, second);
                continue;
            }
            store(batch_row, row, first);
            store(batch_row, row + 8, second);
        }
    }

  private:
    static __device__ std::size_t at(int batch_row, int column, int columns) {
        return static_cast<std::size_t>(batch_row) * columns + column;
    }
    /// The CPU engine's order of operations: (s_x * s_w) * acc.
    __device__ float scaled(Acc acc, float act_scale, int packed_row) const {
        if constexpr (format == WeightFormat::f16)
            return acc;
        else
            return __fmul_rn(
                __fmul_rn(act_scale, packed_row < a_.row_tiles * 16 ? a_.weight_scales[packed_row] : 0.0F),
                __int2float_rn(Tile<format>::finish(acc)));
    }
    __device__ void store(int batch_row, int row, float y) const {
        if (row >= a_.rows)
            return;
        const std::size_t to = at(batch_row, row, a_.rows);
        if (a_.epilogue == Epilogue::store_f16)
            static_cast<__half*>(a_.out)[to] = __float2half_rn(y);
        else if (a_.epilogue == Epilogue::add_residual)
            static_cast<float*>(a_.out)[to] += y;
        else
            static_cast<float*>(a_.out)[to] = y;
    }

    const Arguments& a_;
};

/// Grid (batch tiles, row tiles): blocks that run together share weights.
template<class B>
__global__ void __launch_bounds__(B::threads, B::blocks_a_multiprocessor)
    tiled_gemm_kernel(const Arguments a) {
    using Acc = typename Tile<B::format>::Acc;
    extern __shared__ uint4 shared[];
    const int lane = threadIdx.x % 32;
    const int row_warp = static_cast<int>(threadIdx.x) / 32 / B::batch_warps;
    const int batch_warp = static_cast<int>(threadIdx.x) / 32 % B::batch_warps;
    const auto stage_of = [&](int i) { return shared + i % B::stages * (B::stage_bytes / 16); };

    ColumnOrder producer;
#pragma unroll
    for (int i = 0; i < B::stages - 1; ++i) { // weights first: they depend on no kernel
        if (i < a.col_tiles)
            load_weights<B>(a, stage_of(i), producer.tile());
        producer.advance(a.col_tiles);
    }
    let_next_kernel_start();
    wait_for_previous_kernel();
    ColumnOrder batch_producer;
#pragma unroll
    for (int i = 0; i < B::stages - 1; ++i) {
        if (i < a.col_tiles)
            load_batch<B>(a, stage_of(i), batch_producer.tile());
        batch_producer.advance(a.col_tiles);
        commit_copies(); // the first group also holds all weights
    }

    Acc acc[B::row_tiles][B::batch_blocks][4] = {};
    Acc total[B::row_tiles][B::batch_blocks][4] =
        {}; // halves only: the finished ones of the interleaved sums
    ColumnOrder consumer;
    for (int i = 0; i < a.col_tiles; ++i) {
        wait_copies<B::stages - 2>();
        __syncthreads();
        if (i + B::stages - 1 < a.col_tiles) {
            uint4* const stage = stage_of(i + B::stages - 1);
            load_weights<B>(a, stage, producer.tile());
            load_batch<B>(a, stage, producer.tile());
            producer.advance(a.col_tiles);
        }
        commit_copies(); // also when empty: groups are counted
        multiply_stage<B>(stage_of(i), row_warp, batch_warp, lane, acc);
        if constexpr (B::format == WeightFormat::f16) {
            if (consumer.ends_sum(a.col_tiles)) {
#pragma unroll
                for (int tile = 0; tile < B::row_tiles; ++tile)
#pragma unroll
                    for (int block = 0; block < B::batch_blocks; ++block)
#pragma unroll
                        for (int k = 0; k < 4; ++k) {
                            total[tile][block][k] += acc[tile][block][k];
                            acc[tile][block][k] = 0;
                        }
            }
            consumer.advance(a.col_tiles);
        }
    }
    const Writer<B::format> writer(a);
#pragma unroll
    for (int tile = 0; tile < B::row_tiles; ++tile) {
        const int row_tile = (static_cast<int>(blockIdx.y) * B::row_warps + row_warp) * B::row_tiles + tile;
        if (row_tile >= a.row_tiles)
            continue;
#pragma unroll
        for (int block = 0; block < B::batch_blocks; ++block)
            writer.write(B::format == WeightFormat::f16 ? total[tile][block] : acc[tile][block], row_tile,
                         static_cast<int>(blockIdx.x) * B::block_batch +
                             (batch_warp * B::batch_blocks + block) * 8,
                         lane);
    }
}

template<class B>
Status launch_blocking(const Arguments& a, const Launch& how) {
    const dim3 grid((a.batch + B::block_batch - 1) / B::block_batch,
                    (a.row_tiles + B::block_row_tiles - 1) / B::block_row_tiles);
    return launch("tiled_gemm", tiled_gemm_kernel<B>, grid, dim3(B::threads), B::shared_bytes, how, a);
}

template<class B>
int blocks_of(const Arguments& a) {
    return (a.batch + B::block_batch - 1) / B::block_batch *
           ((a.row_tiles + B::block_row_tiles - 1) / B::block_row_tiles);
}

/// The largest tiles that give nearly every multiprocessor work.
template<WeightFormat format>
Status launch_format(const Arguments& a, int multiprocessors, const Launch& how) {
    constexpr int stages = format == WeightFormat::f16 ? 3 : 4;
    using Large = Blocking<format, 2, 4, 4, 4, stages>;      // 128 x 128
    using Medium = Blocking<format, 2, 2, 2, 4, stages + 1>; // 64 x 64
    using Small = Blocking<format, 1, 4, 2, 2, stages + 1>;  // 32 x 64
    if (blocks_of<Large>(a) >= multiprocessors)
        return launch_blocking<Large>(a, how);
    if (blocks_of<Medium>(a) >= multiprocessors * 3 / 4)
        return launch_blocking<Medium>(a, how);
    return launch_blocking<Small>(a, how);
}

} // namespace

Status tiled_gemm(const StreamGemm& gemm, cudaStream_t stream) {
    const Arguments arguments{product_arguments(gemm), gemm.epilogue};
    const Launch how{stream, gemm.overlap_previous};
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const int multiprocessors = device->multiprocessors;
    switch (gemm.weights->format) {
    case WeightFormat::int4: return launch_format<WeightFormat::int4>(arguments, multiprocessors, how);
    case WeightFormat::int8: return launch_format<WeightFormat::int8>(arguments, multiprocessors, how);
    case WeightFormat::f16: return launch_format<WeightFormat::f16>(arguments, multiprocessors, how);
    }
    return {Status::Kind::unsupported, "tiled_gemm does not know this weight format"};
}

} // namespace quantscope::kernels
