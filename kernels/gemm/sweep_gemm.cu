// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/sweep_gemm.h"

#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"
#include "kernels/base/launch.h"
#include "kernels/gemm/fragments.cuh"
#include "kernels/gemm/product_arguments.h"

#include <algorithm>

namespace quantscope::kernels {
namespace {

constexpr int warps = 8;
constexpr int threads = warps * 32;
constexpr int max_tiles = 6;   ///< row tiles that a block sums at once
constexpr int tile_sums = 128; ///< of 16 weight rows and 8 batch rows

/// Bytes a warp keeps in flight.
constexpr int ring_bytes_a_warp(WeightFormat format, int blocks_of_8) {
    return blocks_of_8 == 2 ? 12288 : format == WeightFormat::int8 ? 14336 : 10240;
}
/// More than half of a Hopper multiprocessor's shared memory. Where two blocks fit, those of the next kernel
/// that start early come to stand two on one multiprocessor and none on another, and the kernel takes twice
/// as long.
constexpr int alone_bytes = 120 * 1024;
constexpr int shared_bytes_for(WeightFormat format, int blocks_of_8) {
    return std::max(alone_bytes, warps * ring_bytes_a_warp(format, blocks_of_8) +
                                     warps * max_tiles * blocks_of_8 * tile_sums * 4);
}

using Arguments = ProductArguments;

/// The row tiles of a block, in passes of at most max_tiles.
struct Passes {
    int first;
    int end;
    int size; ///< tiles of a pass; the last may be shorter

    __device__ explicit Passes(const Arguments& a)
        : first(a.row_tiles * static_cast<int>(blockIdx.x) / static_cast<int>(gridDim.x)),
          end(a.row_tiles * (static_cast<int>(blockIdx.x) + 1) / static_cast<int>(gridDim.x)) {
        const int count = (end - first + max_tiles - 1) / max_tiles;
        size = (end - first + count - 1) / count;
    }
    __device__ int tiles_from(int tile) const { return min(size, end - tile); }
};

/// A warp's private stream of weight tiles: the lane that copies a vector is the lane that consumes it, so no
/// barrier is ever needed. Tiles come in the order (pass, column tile, row tile) in which the warp multiplies
/// them.
template<WeightFormat format, int ring_bytes>
class WeightRing {
  public:
    static constexpr int vectors = Tile<format>::vectors;
    static constexpr int stages = ring_bytes / tile_bytes(format);

    __device__ WeightRing(uint4* storage, const Arguments& a, const Passes& passes, int warp, int lane)
        : storage_(storage + lane), passes_(passes), col_tiles_(a.col_tiles), warp_(warp), col_tile_(warp),
          pass_(passes.first), row_(0), in_pass_(passes.tiles_from(passes.first)) {
        from_ = a.tiles + lane * 16;
        row_bytes_ = static_cast<std::size_t>(a.col_tiles) * tile_bytes(format);
#pragma unroll 1
        for (int stage = 0; stage < stages - 1; ++stage)
            produce(stage);
        write_ = stages - 1;
    }

    /// The next tile's vectors of this lane; starts the copy that follows the last one in flight.
    __device__ void next(uint4 (&tile)[vectors]) {
        wait_copies<stages - 2>();
        const uint4* const stage = storage_ + read_ * vectors * 32;
#pragma unroll
        for (int v = 0; v < vectors; ++v)
            tile[v] = stage[v * 32];
        read_ = read_ + 1 == stages ? 0 : read_ + 1;
        produce(write_);
        write_ = write_ + 1 == stages ? 0 : write_ + 1;
    }

  private:
    __device__ void produce(int stage) {
        if (in_pass_ > 0 && col_tile_ < col_tiles_) {
            const std::uint8_t* const from = from_ + (pass_ + row_) * row_bytes_ +
                                             static_cast<std::size_t>(col_tile_) * tile_bytes(format);
#pragma unroll
            for (int v = 0; v < vectors; ++v)
                copy_async16(storage_ + (stage * vectors + v) * 32, from + v * 512);
            if (++row_ == in_pass_)
                next_column();
        }
        commit_copies(); // also when empty: groups are counted
    }
    __device__ void next_column() {
        row_ = 0;
        col_tile_ += warps;
        if (col_tile_ < col_tiles_)
            return;
        col_tile_ = warp_;
        pass_ += in_pass_;
        in_pass_ = passes_.tiles_from(pass_);
    }

    uint4* storage_;
    const Passes& passes_;
    const std::uint8_t* from_;
    std::size_t row_bytes_;
    int col_tiles_;
    int warp_;
    int col_tile_;
    int pass_; ///< its first row tile
    int row_;  ///< in the pass
    int in_pass_;
    int read_ = 0;
    int write_ = 0;
};

/// The lane's activations of a column tile: 16 codes of each of its columns.
template<int blocks_of_8>
using Activations = std::uint32_t[blocks_of_8][4];

template<int blocks_of_8>
__device__ void load_activations(const Arguments& a, int col_tile, Activations<blocks_of_8>& words) {
    const auto lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
    for (int block = 0; block < blocks_of_8; ++block) {
        const int column = block * 8 + lane / 4;
        uint4 vector{0, 0, 0, 0};
        if (column < a.batch && col_tile < a.col_tiles)
            vector = *reinterpret_cast<const uint4*>(
                a.activations + (static_cast<std::size_t>(column) * a.col_tiles + col_tile) * 64 +
                lane % 4 * 16);
        words[block][0] = vector.x;
        words[block][1] = vector.y;
        words[block][2] = vector.z;
        words[block][3] = vector.w;
    }
}

/// What a thread writes of a pass: sum number threadIdx.x % (128 * blocks_of_8) of every row tile, or of
/// every second one. What it needs from memory is asked for before it waits for the sums.
template<WeightFormat format, Epilogue epilogue, int blocks_of_8>
class Outputs {
  public:
    static constexpr int sums_a_tile = tile_sums * blocks_of_8;
    static constexpr int tiles_at_once = threads / sums_a_tile;
    static constexpr int count = max_tiles / tiles_at_once;

    /// Sum i of lane 4g + t: weight row g + 8 * (i / 2), batch row 2t + i % 2; numbered [block of
    /// 8][i][lane].
    __device__ explicit Outputs(const Arguments& a)
        : a_(a), index_(static_cast<int>(threadIdx.x) % sums_a_tile),
          first_tile_(static_cast<int>(threadIdx.x) / sums_a_tile) {
        const int i = index_ / 32 % 4;
        row_ = index_ % 32 / 4 + 8 * (i / 2);
        column_ = index_ / 128 * 8 + index_ % 4 * 2 + i % 2;
        active_ = column_ < a.batch && (epilogue != Epilogue::silu_mul || i < 2);
        act_scale_ = active_ ? a.act_scales[column_] : 0.0F;
    }

    __device__ void prefetch(int row_tile, int tiles) {
#pragma unroll
        for (int k = 0; k < count; ++k) {
            const int tile = first_tile_ + k * tiles_at_once;
            if (!writes(row_tile, tile, tiles))
                continue;
            const int packed_row = (row_tile + tile) * 16 + row_;
            scales_[k] = __fmul_rn(act_scale_, a_.weight_scales[packed_row]);
            if constexpr (epilogue == Epilogue::silu_mul)
                others_[k] = __fmul_rn(act_scale_, a_.weight_scales[packed_row + 8]);
            if constexpr (epilogue == Epilogue::add_residual)
                others_[k] = out()[place(row_tile + tile)];
        }
    }

    /// @param sums  [warps][max_tiles][sums_a_tile]
    __device__ void write(const int* sums, int row_tile, int tiles) const {
#pragma unroll
        for (int k = 0; k < count; ++k) {
            const int tile = first_tile_ + k * tiles_at_once;
            if (!writes(row_tile, tile, tiles))
                continue;
            const auto total = [&](int index) {
                int sum = 0;
#pragma unroll
                for (int w = 0; w < warps; ++w)
                    sum += sums[(w * max_tiles + tile) * sums_a_tile + index];
                return sum;
            };
            const float y = scaled(total(index_), scales_[k]);
            float& to = out()[place(row_tile + tile)];
            if constexpr (epilogue == Epilogue::store_f32)
                to = y;
            else if constexpr (epilogue == Epilogue::add_residual)
                to = others_[k] + y;
            else
                to = silu_times(y, scaled(total(index_ + 64), others_[k]));
        }
    }

  private:
    __device__ float* out() const {
        return static_cast<float*>(a_.out);
    }
    __device__ int channels() const {
        return epilogue == Epilogue::silu_mul ? a_.rows / 2 : a_.rows;
    }
    __device__ int channel(int row_tile) const {
        return row_tile * (epilogue == Epilogue::silu_mul ? 8 : 16) + row_;
    }
    __device__ std::size_t place(int row_tile) const {
        return static_cast<std::size_t>(column_) * channels() + channel(row_tile);
    }
    __device__ bool writes(int row_tile, int tile, int tiles) const {
        return active_ && tile < tiles && channel(row_tile + tile) < channels();
    }
    /// The CPU engine's order of operations: (s_x * s_w) * acc.
    static __device__ float scaled(int acc, float scale) {
        return __fmul_rn(scale, __int2float_rn(Tile<format>::finish(acc)));
    }

    const Arguments& a_;
    int index_;
    int first_tile_;
    int row_;
    int column_;
    bool active_;
    float act_scale_;
    float scales_[count] = {};
    float others_[count] = {}; ///< of up_proj, or what was there
};

template<WeightFormat format, Epilogue epilogue, int blocks_of_8>
__global__ void __launch_bounds__(threads, 2) sweep_gemm_kernel(const __grid_constant__ Arguments a) {
    extern __shared__ uint4 shared[];
    constexpr int ring_bytes = ring_bytes_a_warp(format, blocks_of_8);
    constexpr int sums_a_tile = tile_sums * blocks_of_8;
    auto* const sums = reinterpret_cast<int*>(shared + warps * ring_bytes / 16);
    const auto warp = static_cast<int>(threadIdx.x) / 32;
    const auto lane = static_cast<int>(threadIdx.x) % 32;
    const Passes passes(a);

    WeightRing<format, ring_bytes> ring(shared + warp * ring_bytes / 16, a, passes, warp, lane);
    let_next_kernel_start();
    wait_for_previous_kernel();

    // Activations are asked for two column tiles ahead.
    Activations<blocks_of_8> act[3];
    load_activations<blocks_of_8>(a, warp, act[0]);
    load_activations<blocks_of_8>(a, warp + warps, act[1]);
    Outputs<format, epilogue, blocks_of_8> outputs(a);
    int tiles = 0;
    for (int row_tile = passes.first; row_tile < passes.end; row_tile += tiles) {
        tiles = passes.tiles_from(row_tile);
        int acc[max_tiles][blocks_of_8][4] = {};
        const auto step = [&](int col_tile, const Activations<blocks_of_8>& now,
                              Activations<blocks_of_8>& later) {
            load_activations<blocks_of_8>(a, col_tile + 2 * warps, later);
#pragma unroll
            for (int r = 0; r < max_tiles; ++r) {
                if (r >= tiles)
                    break;
                uint4 weights[Tile<format>::vectors];
                ring.next(weights);
#pragma unroll
                for (int block = 0; block < blocks_of_8; ++block)
                    Tile<format>::multiply(acc[r][block], weights, now[block]);
            }
        };
        for (int col_tile = warp; col_tile < a.col_tiles; col_tile += 3 * warps) {
            step(col_tile, act[0], act[2]);
            if (col_tile + warps >= a.col_tiles)
                break;
            step(col_tile + warps, act[1], act[0]);
            if (col_tile + 2 * warps >= a.col_tiles)
                break;
            step(col_tile + 2 * warps, act[2], act[1]);
        }
        if (row_tile + tiles < passes.end) {
            load_activations<blocks_of_8>(a, warp, act[0]);
            load_activations<blocks_of_8>(a, warp + warps, act[1]);
        }
        outputs.prefetch(row_tile, tiles);
        if (row_tile > passes.first)
            __syncthreads(); // the sums of the pass before have been read
#pragma unroll
        for (int r = 0; r < max_tiles; ++r) {
            if (r >= tiles)
                break;
#pragma unroll
            for (int block = 0; block < blocks_of_8; ++block)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    sums[(warp * max_tiles + r) * sums_a_tile + (block * 4 + i) * 32 + lane] =
                        acc[r][block][i];
        }
        __syncthreads();
        outputs.write(sums, row_tile, tiles);
    }
}

using Kernel = void (*)(Arguments);

template<WeightFormat format, int blocks_of_8>
Kernel kernel_for(Epilogue epilogue) {
    switch (epilogue) {
    case Epilogue::store_f32: return sweep_gemm_kernel<format, Epilogue::store_f32, blocks_of_8>;
    case Epilogue::add_residual: return sweep_gemm_kernel<format, Epilogue::add_residual, blocks_of_8>;
    case Epilogue::silu_mul: return sweep_gemm_kernel<format, Epilogue::silu_mul, blocks_of_8>;
    case Epilogue::store_f16: break;
    }
    return nullptr;
}

} // namespace

Status sweep_gemm_fits(const StreamGemm& gemm, bool& fits) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    fits = gemm.batch <= max_sweep_batch && gemm.weights->format != WeightFormat::f16 &&
           gemm.epilogue != Epilogue::store_f16 && gemm.layout == RowLayout::rows &&
           shared_bytes_for(gemm.weights->format, 2) <= device->max_shared_bytes;
    return {};
}

Status sweep_gemm(const StreamGemm& gemm, cudaStream_t stream) {
    bool fits = false;
    QS_TRY(sweep_gemm_fits(gemm, fits));
    if (!fits || gemm.batch < 1)
        return {Status::Kind::unsupported,
                "sweep_gemm takes integer weights and a batch of 1 to " + std::to_string(max_sweep_batch)};
    const PackedWeights& weights = *gemm.weights;
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const int multiprocessors = device->multiprocessors;
    const Arguments arguments = product_arguments(gemm);
    const bool int4 = weights.format == WeightFormat::int4;
    const int blocks_of_8 = gemm.batch <= 8 ? 1 : 2;
    const Kernel kernel = int4 ? blocks_of_8 == 1 ? kernel_for<WeightFormat::int4, 1>(gemm.epilogue)
                                                  : kernel_for<WeightFormat::int4, 2>(gemm.epilogue)
                          : blocks_of_8 == 1 ? kernel_for<WeightFormat::int8, 1>(gemm.epilogue)
                                             : kernel_for<WeightFormat::int8, 2>(gemm.epilogue);
    return launch("sweep_gemm", kernel, dim3(std::min(weights.row_tiles(), multiprocessors)), dim3(threads),
                  shared_bytes_for(weights.format, blocks_of_8), {stream, gemm.overlap_previous}, arguments);
}

} // namespace quantscope::kernels
