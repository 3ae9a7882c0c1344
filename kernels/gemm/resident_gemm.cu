// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/resident_gemm.h"

#include "kernels/base/device.cuh"
#include "kernels/base/exponential.cuh"
#include "kernels/base/features.h"
#include "kernels/base/launch.h"
#include "kernels/base/wgmma.cuh"
#include "kernels/gemm/fragments.cuh"

#include <algorithm>

namespace quantscope::kernels {
namespace {

constexpr int warps = 16;
constexpr int threads = warps * 32;
constexpr int stage_bytes = 2048; ///< neighbouring tiles of a row tile: one bulk copy
constexpr int stages = 4;         ///< of a warp's ring
constexpr int span_cols = 4096;   ///< the activations of a span and 8 rows are 16 registers a thread
constexpr int max_spans = 3;
constexpr int max_tiles = 16;  ///< row tiles of a block
constexpr int tile_sums = 128; ///< of 16 weight rows and 8 batch rows

struct Arguments {
    const std::uint8_t* tiles;
    const float* weight_scales;
    const std::uint8_t* activations;
    const float* act_scales;
    float* out;
    int rows;
    int row_tiles;
    int row_bytes; ///< of a row tile
    int col_tiles;
    int batch;
};

/// Bytes of a block's shared memory, its parts in this order. They are more than half of a multiprocessor's:
/// two blocks on one and none on another would take twice as long.
struct Layout {
    static constexpr int ring = warps * stages * stage_bytes; ///< [warps][stages][stage_bytes]
    static constexpr int full = warps * stages * 8;           ///< [warps][stages]: barriers
    int sums;                                                 ///< [tiles][blocks_of_8][tile_sums]
    int scales;                                               ///< [tiles][16]: of the weights

    constexpr Layout(int tiles, int blocks_of_8)
        : sums(tiles * blocks_of_8 * tile_sums * 4), scales(tiles * 16 * 4) {}
    constexpr int bytes() const { return ring + full + sums + scales; }
};

#if __CUDA_ARCH__ >= 900
/// A warp's private stream of weights: of each of the block's row tiles the pieces warp, warp + warps, ...
/// One lane asks for a stage's next bytes as soon as the warp is done with what it held, so that a barrier
/// that says when they are there is all that is needed.
class WarpStream {
  public:
    /// Fills the ring, one copy a warp at a time: more would stand in memory's queue before the loads of the
    /// kernel that this one waits for.
    __device__ WarpStream(const Arguments& a, const std::uint8_t* rings, const std::uint64_t* full, int warp,
                          int first, int tiles)
        : ring_(shared_address(rings + warp * stages * stage_bytes)),
          full_(shared_address(full + warp * stages)), row_bytes_(a.row_bytes), start_(warp * stage_bytes),
          at_(start_), left_(start_ < row_bytes_ ? tiles : 0),
          from_(a.tiles + static_cast<std::size_t>(first) * a.row_bytes) {
        if (first_lane()) {
            for (int i = 0; i < stages; ++i)
                init_barrier(full_ + i * 8, 1);
            fence_barrier_init();
            fence_shared_accesses();
            for (int i = 0; i < stages && left_ > 0; ++i) {
                if (i > 0)
                    wait_barrier(full_ + (i - 1) * 8, 0);
                fill(i);
            }
        }
        __syncwarp();
    }

    /// Where this lane's first vector of the next stage is, in shared memory; waits until it is there.
    __device__ std::uint32_t next() const {
        wait_barrier(full_ + place_.stage * 8, place_.parity);
        return ring_ + place_.stage * stage_bytes + threadIdx.x % 32 * 16;
    }
    /// The warp has read it.
    __device__ void release() {
        fence_shared_accesses(); // PTX asks for it between what was read and a copy that overwrites it
        __syncwarp();
        if (first_lane() && left_ > 0)
            fill(place_.stage);
        place_.advance();
    }

  private:
    static __device__ bool first_lane() { return threadIdx.x % 32 == 0; }

    __device__ void fill(int stage) {
        const int bytes = min(stage_bytes, row_bytes_ - at_);
        arrive_expecting(full_ + stage * 8, bytes);
        copy_bulk(ring_ + stage * stage_bytes, from_ + at_, bytes, full_ + stage * 8, policy_);
        at_ += warps * stage_bytes;
        if (at_ < row_bytes_)
            return;
        at_ = start_;
        from_ += row_bytes_;
        --left_;
    }

    std::uint32_t ring_;
    std::uint32_t full_;
    int row_bytes_;
    int start_;
    int at_;   ///< in the row tile: what fill() asks for next
    int left_; ///< row tiles, from_ the first
    const std::uint8_t* from_;
    std::uint64_t policy_ = read_once();
    RingPlace<stages> place_;
};

__device__ uint4 shared_vector(std::uint32_t at) {
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "r"(at)
                 : "memory");
    return v;
}

/// One stage times the activations of its tiles. Two sets of sums, so that products need not wait for one
/// another.
template<WeightFormat format, int blocks_of_8, int tiles>
__device__ void multiply_stage(int (&acc)[2][blocks_of_8][4], std::uint32_t stage,
                               const std::uint32_t (*act)[blocks_of_8][4]) {
    constexpr int vectors = Tile<format>::vectors;
    uint4 weights[tiles][vectors];
#pragma unroll
    for (int i = 0; i < tiles * vectors; ++i)
        weights[i / vectors][i % vectors] = shared_vector(stage + i * 512);
#pragma unroll
    for (int i = 0; i < tiles; ++i)
#pragma unroll
        for (int block = 0; block < blocks_of_8; ++block)
            Tile<format>::multiply(acc[i % 2][block], weights[i], act[i][block]);
}

/// What a thread writes: of the sums of the block's row tiles numbers threadIdx.x, threadIdx.x + threads,
/// ...; of gate_up's tiles the half that has the gates' rows.
template<WeightFormat format, Epilogue epilogue, int blocks_of_8>
class Outputs {
  public:
    static constexpr int outputs_a_tile = tile_sums * blocks_of_8 / (epilogue == Epilogue::silu_mul ? 2 : 1);
    static constexpr int most = max_tiles * outputs_a_tile / threads;

    /// Sum i of lane 4g + t: weight row g + 8 * (i / 2), batch row 2t + i % 2; numbered [block of
    /// 8][i][lane].
    __device__ Outputs(const Arguments& a, int first, int tiles) : a_(a), first_(first), tiles_(tiles) {
        const int number = static_cast<int>(threadIdx.x) % outputs_a_tile;
        const int i = number / 32 % (epilogue == Epilogue::silu_mul ? 2 : 4);
        const int block = number / (outputs_a_tile / blocks_of_8);
        index_ = (block * 4 + i) * 32 + number % 32;
        row_ = number % 32 / 4 + 8 * (i / 2);
        column_ = block * 8 + number % 4 * 2 + i % 2;
        act_scale_ = column_ < a.batch ? a.act_scales[column_] : 0.0F;
        if constexpr (epilogue == Epilogue::add_residual)
#pragma unroll
            for (int k = 0; k < most; ++k)
                if (writes(k))
                    before_[k] = a_.out[place(k)];
    }

    /// @param sums  [tiles][blocks_of_8][tile_sums], @param scales  [tiles][16]
    __device__ void write(const int* sums, const float* scales) const {
#pragma unroll
        for (int k = 0; k < most; ++k) {
            if (!writes(k))
                continue;
            const int* const sum = sums + tile(k) * blocks_of_8 * tile_sums + index_;
            const float* const scale = scales + tile(k) * 16 + row_;
            const float y = scaled(sum[0], scale[0]);
            float& out = a_.out[place(k)];
            if constexpr (epilogue == Epilogue::store_f32)
                out = y;
            else if constexpr (epilogue == Epilogue::add_residual)
                out = before_[k] + y;
            else
                out = silu_times(y, scaled(sum[64], scale[8]));
        }
    }

  private:
    static __device__ int tile(int k) {
        return (static_cast<int>(threadIdx.x) + k * threads) / outputs_a_tile;
    }
    __device__ int channels() const {
        return epilogue == Epilogue::silu_mul ? a_.rows / 2 : a_.rows;
    }
    __device__ int channel(int k) const {
        return (first_ + tile(k)) * (epilogue == Epilogue::silu_mul ? 8 : 16) + row_;
    }
    __device__ std::size_t place(int k) const {
        return static_cast<std::size_t>(column_) * channels() + channel(k);
    }
    __device__ bool writes(int k) const {
        return column_ < a_.batch && tile(k) < tiles_ && channel(k) < channels();
    }
    /// The CPU engine's order of operations: (s_x * s_w) * acc.
    __device__ float scaled(int acc, float weight_scale) const {
        return __fmul_rn(__fmul_rn(act_scale_, weight_scale), __int2float_rn(Tile<format>::finish(acc)));
    }

    const Arguments& a_;
    int first_;
    int tiles_;
    int index_; ///< in a row tile's sums
    int row_;
    int column_;
    float act_scale_;
    float before_[epilogue == Epilogue::add_residual ? most : 1] = {};
};

/// The lane's 16 codes of each of its columns of the warp's tiles.
template<int stages_a_row, int tiles_a_stage, int blocks_of_8>
struct Activations {
    std::uint32_t words[stages_a_row][tiles_a_stage][blocks_of_8][4];

    __device__ Activations(const Arguments& a, int warp) {
        const auto lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
        for (int i = 0; i < stages_a_row * tiles_a_stage; ++i)
#pragma unroll
            for (int block = 0; block < blocks_of_8; ++block) {
                const int col_tile = (i / tiles_a_stage * warps + warp) * tiles_a_stage + i % tiles_a_stage;
                const int column = block * 8 + lane / 4;
                uint4 v{0, 0, 0, 0};
                if (column < a.batch && col_tile < a.col_tiles)
                    v = *reinterpret_cast<const uint4*>(
                        a.activations + (static_cast<std::size_t>(column) * a.col_tiles + col_tile) * 64 +
                        lane % 4 * 16);
                std::uint32_t(&to)[4] = words[i / tiles_a_stage][i % tiles_a_stage][block];
                to[0] = v.x;
                to[1] = v.y;
                to[2] = v.z;
                to[3] = v.w;
            }
    }
};
#endif

template<WeightFormat format, Epilogue epilogue, int spans, int blocks_of_8>
__global__ void __launch_bounds__(threads, 1)
    resident_gemm_kernel([[maybe_unused]] const __grid_constant__ Arguments a) {
#if __CUDA_ARCH__ >= 900
    constexpr int tiles_a_stage = stage_bytes / tile_bytes(format);
    constexpr int stages_a_row = spans * span_cols / 64 / (warps * tiles_a_stage); // of a warp
    extern __shared__ __align__(128) std::uint8_t shared[];
    const auto warp = static_cast<int>(threadIdx.x) / 32;
    const auto lane = static_cast<int>(threadIdx.x) % 32;
    const int first = a.row_tiles * static_cast<int>(blockIdx.x) / static_cast<int>(gridDim.x);
    const int tiles = a.row_tiles * (static_cast<int>(blockIdx.x) + 1) / static_cast<int>(gridDim.x) - first;
    auto* const full = reinterpret_cast<std::uint64_t*>(shared + Layout::ring);
    auto* const sums = reinterpret_cast<int*>(shared + Layout::ring + Layout::full);
    auto* const scales = reinterpret_cast<float*>(sums + tiles * blocks_of_8 * tile_sums);

    let_next_kernel_start();
    for (int i = threadIdx.x; i < tiles * blocks_of_8 * tile_sums; i += threads)
        sums[i] = 0;
    const bool has_scale = static_cast<int>(threadIdx.x) < tiles * 16;
    const float scale = has_scale ? a.weight_scales[first * 16 + threadIdx.x] : 0.0F;
    __syncthreads();
    WarpStream stream(a, shared, full, warp, first, tiles);
    wait_for_previous_kernel();

    const Activations<stages_a_row, tiles_a_stage, blocks_of_8> act(a, warp);
    const Outputs<format, epilogue, blocks_of_8> outputs(a, first, tiles);
#pragma unroll 1
    for (int tile = 0; tile < tiles; ++tile) {
        int acc[2][blocks_of_8][4] = {};
#pragma unroll
        for (int s = 0; s < stages_a_row; ++s) {
            if ((s * warps + warp) * stage_bytes >= a.row_bytes)
                break;
            multiply_stage<format, blocks_of_8, tiles_a_stage>(acc, stream.next(), act.words[s]);
            stream.release();
        }
#pragma unroll
        for (int block = 0; block < blocks_of_8; ++block)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                atomicAdd(&sums[((tile * blocks_of_8 + block) * 4 + i) * 32 + lane],
                          acc[0][block][i] + acc[1][block][i]);
    }
    if (has_scale)
        scales[threadIdx.x] = scale;
    __syncthreads();
    outputs.write(sums, scales);
#endif
}

using Kernel = void (*)(Arguments);

template<WeightFormat format, int spans, int blocks_of_8>
Kernel kernel_for(Epilogue epilogue) {
    switch (epilogue) {
    case Epilogue::store_f32: return resident_gemm_kernel<format, Epilogue::store_f32, spans, blocks_of_8>;
    case Epilogue::add_residual:
        return resident_gemm_kernel<format, Epilogue::add_residual, spans, blocks_of_8>;
    case Epilogue::silu_mul: return resident_gemm_kernel<format, Epilogue::silu_mul, spans, blocks_of_8>;
    case Epilogue::store_f16: break;
    }
    return nullptr;
}

template<WeightFormat format>
Kernel kernel_for(Epilogue epilogue, int spans, int blocks_of_8) {
    return blocks_of_8 == 2 ? kernel_for<format, 1, 2>(epilogue)
           : spans == 1     ? kernel_for<format, 1, 1>(epilogue)
                            : kernel_for<format, max_spans, 1>(epilogue);
}

int spans_of(const PackedWeights& weights) {
    return (weights.col_tiles() * 64 + span_cols - 1) / span_cols;
}

} // namespace

Status resident_gemm_fits(const StreamGemm& gemm, bool& fits) {
    const PackedWeights& weights = *gemm.weights;
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    fits = device->hopper && gemm.batch <= (spans_of(weights) == 1 ? 16 : 8) &&
           spans_of(weights) <= max_spans && weights.format != WeightFormat::f16 &&
           gemm.epilogue != Epilogue::store_f16 && gemm.layout == RowLayout::rows &&
           weights.row_tiles() <= device->multiprocessors * max_tiles;
    return {};
}

Status resident_gemm(const StreamGemm& gemm, cudaStream_t stream) {
    bool fits = false;
    QS_TRY(resident_gemm_fits(gemm, fits));
    if (!fits || gemm.batch < 1)
        return {Status::Kind::unsupported, "resident_gemm does not take this product"};
    const PackedWeights& weights = *gemm.weights;
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const int blocks = std::min(weights.row_tiles(), device->multiprocessors);
    const int blocks_of_8 = gemm.batch <= 8 ? 1 : 2;
    const Layout layout((weights.row_tiles() + blocks - 1) / blocks, blocks_of_8);
    const Arguments arguments{weights.tiles.data(),
                              weights.scales.data(),
                              static_cast<const std::uint8_t*>(gemm.activations),
                              gemm.act_scales,
                              static_cast<float*>(gemm.out),
                              weights.rows,
                              weights.row_tiles(),
                              weights.col_tiles() * tile_bytes(weights.format),
                              weights.col_tiles(),
                              gemm.batch};
    const Kernel kernel = weights.format == WeightFormat::int4
                              ? kernel_for<WeightFormat::int4>(gemm.epilogue, spans_of(weights), blocks_of_8)
                              : kernel_for<WeightFormat::int8>(gemm.epilogue, spans_of(weights), blocks_of_8);
    return launch("resident_gemm", kernel, dim3(blocks), dim3(threads), layout.bytes(),
                  {stream, gemm.overlap_previous}, arguments);
}

} // namespace quantscope::kernels
