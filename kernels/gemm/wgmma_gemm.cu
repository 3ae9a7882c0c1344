// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/wgmma_gemm.h"

#include "kernels/base/device.cuh"
#include "kernels/base/launch.h"
#include "kernels/gemm/wgmma.cuh"
#include "kernels/gemm/wgmma_output.cuh"

#include <algorithm>
#include <cmath>

namespace quantscope::kernels {
namespace wgmma_detail {

constexpr int consumers = 256;           ///< threads: two warpgroups
constexpr int threads = consumers + 128; ///< and a third, of which one thread asks for copies
constexpr int max_split_cols = 128;
constexpr int max_split_tiles = 8192;

/// How the work is divided. A block multiplies row_groups x 64 weight rows by `cols` batch rows; with one
/// row group its two warpgroups share the batch rows, with two the weight rows.
template<WeightFormat format_, int cols_, int row_groups_, int stages_, int cluster_, bool split_,
         int blocks_a_multiprocessor_>
struct Blocking {
    static constexpr WeightFormat format = format_;
    static constexpr int cols = cols_;
    static constexpr int row_groups = row_groups_;
    static constexpr int stages = stages_;
    static constexpr int cluster = cluster_; ///< blocks of neighbouring weight rows that share batch rows
    /// Blocks take equal shares of all slabs of all tiles, one after the other; else whole tiles.
    static constexpr bool split = split_;
    static constexpr int blocks_a_multiprocessor = blocks_a_multiprocessor_;
    static constexpr int group_cols = cols * row_groups / 2;
    static constexpr int row_tiles = row_groups * 4;                       ///< of 16 weight rows
    static constexpr int slab_tiles = format == WeightFormat::f16 ? 1 : 2; ///< column tiles a slab
    static constexpr int row_tile_bytes = slab_tiles * tile_bytes(format); ///< a slab's
    static constexpr int act_bytes = cols * slab_bytes;
    static constexpr int stage_bytes = act_bytes + row_tiles * row_tile_bytes;
    static constexpr int shared_bytes = 1024 + stages * stage_bytes + 16 * stages; ///< 1024 to align
    /// Registers a thread: the third warpgroup gives most of its own to the others.
    static constexpr int producer_registers = blocks_a_multiprocessor == 1 ? 40 : 24;
    static constexpr int consumer_registers = blocks_a_multiprocessor == 1 ? 232 : 104;
    static_assert(stage_bytes % 1024 == 0);
    static_assert(!split || format != WeightFormat::f16, "only integer sums are the same in any order");
    static_assert(!split || cluster == 1);
};

/// Slabs [first_slab, end_slab) of one tile.
struct Segment {
    int row_block;
    int batch_block;
    int first_slab;
    int end_slab;
};

/// First of the slabs that block `block` takes, counted through all tiles.
__device__ inline int split_begin(const Arguments& a, int block) {
    const auto all = static_cast<long long>(a.row_blocks) * a.batch_blocks * a.slabs;
    return static_cast<int>(all * block / static_cast<int>(gridDim.x));
}
/// The block that takes slab `slab`, counted likewise.
__device__ inline int split_owner(const Arguments& a, int slab) {
    const auto all = static_cast<long long>(a.row_blocks) * a.batch_blocks * a.slabs;
    return static_cast<int>((static_cast<long long>(slab + 1) * static_cast<int>(gridDim.x) - 1) / all);
}

/// The segments of a block, in order; batch blocks change fastest, so that blocks that run together share
/// weights and rows in the L2 cache.
template<class B>
class Segments {
  public:
    __device__ explicit Segments(const Arguments& a) : a_(a) {
        if constexpr (B::split) {
            next_ = split_begin(a, blockIdx.x);
            end_ = split_begin(a, blockIdx.x + 1);
        } else {
            next_ = static_cast<int>(blockIdx.x) / B::cluster;
            end_ = (a.row_blocks + B::cluster - 1) / B::cluster * a.batch_blocks;
        }
    }

    __device__ bool next(Segment& s) {
        if (next_ >= end_)
            return false;
        const int tile = B::split ? next_ / a_.slabs : next_;
        s.batch_block = tile % a_.batch_blocks;
        s.row_block = tile / a_.batch_blocks * B::cluster + static_cast<int>(blockIdx.x) % B::cluster;
        s.first_slab = 0;
        s.end_slab = a_.slabs;
        if constexpr (B::split) {
            s.first_slab = next_ % a_.slabs;
            s.end_slab = min(a_.slabs, s.first_slab + end_ - next_);
            next_ += s.end_slab - s.first_slab;
        } else {
            next_ += static_cast<int>(gridDim.x) / B::cluster;
        }
        return true;
    }

  private:
    const Arguments& a_;
    int next_;
    int end_;
};

/// A position in the ring of stages.
template<int stages>
struct Place {
    int stage = 0;
    int parity = 0; ///< of the turn
    __device__ void advance() {
        if (++stage == stages) {
            stage = 0;
            parity ^= 1;
        }
    }
};

/// Stages of rows and weights in shared memory, and the barriers that say which are full and which empty.
template<class B>
class Ring {
  public:
    __device__ explicit Ring(std::uint8_t* shared)
        : base_((shared_address(shared) + 1023U) / 1024U * 1024U),
          pointer_(shared + (base_ - shared_address(shared))) {}

    __device__ void init() const {
        for (int i = 0; i < B::stages; ++i) {
            init_barrier(full(i), 1);
            init_barrier(empty(i), consumers / 32 * B::cluster);
        }
        fence_barrier_init();
    }
    __device__ std::uint32_t rows(int stage) const { return base_ + stage * B::stage_bytes; }
    __device__ std::uint32_t weights(int stage) const { return rows(stage) + B::act_bytes; }
    __device__ const uint4* weight_vectors(int stage) const {
        return reinterpret_cast<const uint4*>(pointer_ + stage * B::stage_bytes + B::act_bytes);
    }
    __device__ std::uint32_t full(int stage) const { return base_ + B::stages * B::stage_bytes + stage * 8; }
    __device__ std::uint32_t empty(int stage) const { return full(stage) + B::stages * 8; }

  private:
    std::uint32_t base_;
    const std::uint8_t* pointer_;
};

/// Asks for the copies of a block's segments, slab after slab; one thread.
template<class B>
class Producer {
  public:
    __device__ Producer(const Arguments& a, const Ring<B>& ring)
        : a_(a), ring_(ring), rank_(static_cast<int>(blockIdx.x) % B::cluster) {}

    __device__ void run() {
        // Weights depend on no kernel: the first ones are under way before the kernel before has ended.
        Cursor early(a_);
        for (int i = 0; i < B::stages && early.valid; ++i) {
            copy_weights(early, i);
            early.advance();
        }
        wait_for_previous_kernel();
        Cursor cursor(a_);
        Place<B::stages> at;
        for (int i = 0; cursor.valid; ++i) {
            if (i >= B::stages) {
                wait_barrier(ring_.empty(at.stage), at.parity ^ 1);
                copy_weights(cursor, at.stage);
            }
            copy_rows(cursor, at.stage);
            cursor.advance();
            at.advance();
        }
    }

  private:
    /// A slab of a segment.
    struct Cursor {
        Segments<B> segments;
        Segment segment{};
        bool valid;
        __device__ explicit Cursor(const Arguments& a) : segments(a) { valid = segments.next(segment); }
        __device__ void advance() {
            if (++segment.first_slab == segment.end_slab)
                valid = segments.next(segment);
        }
    };

    /// Of the part of a batch tile that block `rank` copies, the rows that exist.
    __device__ int rows_of(const Cursor& c, int rank) const {
        constexpr int part = B::cols / B::cluster;
        return max(0, min(part, a_.batch - c.segment.batch_block * B::cols - rank * part));
    }

    /// Also says how many bytes the stage will hold.
    __device__ void copy_weights(const Cursor& c, int stage) const {
        const int first_tile = c.segment.row_block * B::row_tiles;
        const int tiles = max(0, min(B::row_tiles, a_.row_tiles - first_tile));
        const int col_tile = c.segment.first_slab * B::slab_tiles;
        const int bytes = min(B::slab_tiles, a_.col_tiles - col_tile) * tile_bytes(B::format);
        int rows = 0;
#pragma unroll
        for (int rank = 0; rank < B::cluster; ++rank)
            rows += rows_of(c, rank);
        arrive_expecting(ring_.full(stage), tiles * bytes + rows * slab_bytes);
        const std::uint8_t* from =
            a_.tiles +
            (static_cast<std::size_t>(first_tile) * a_.col_tiles + col_tile) * tile_bytes(B::format);
        for (int i = 0; i < tiles; ++i) {
            copy_bulk(ring_.weights(stage) + i * B::row_tile_bytes, from, bytes, ring_.full(stage));
            from += static_cast<std::size_t>(a_.col_tiles) * tile_bytes(B::format);
        }
    }

    __device__ void copy_rows(const Cursor& c, int stage) const {
        constexpr int part = B::cols / B::cluster;
        const int rows = rows_of(c, rank_);
        if (rows == 0)
            return;
        const std::size_t first = static_cast<std::size_t>(c.segment.first_slab) * a_.batch +
                                  c.segment.batch_block * B::cols + rank_ * part;
        const std::uint8_t* const from = a_.activations + first * slab_bytes;
        const std::uint32_t to = ring_.rows(stage) + rank_ * part * slab_bytes;
        if constexpr (B::cluster == 1)
            copy_bulk(to, from, rows * slab_bytes, ring_.full(stage));
        else
            copy_bulk_to_all(to, from, rows * slab_bytes, ring_.full(stage), (1U << B::cluster) - 1U);
    }

    const Arguments& a_;
    const Ring<B>& ring_;
    int rank_;
};

/// The A operands of a slab's four steps.
template<class B>
__device__ void load_fragments(const uint4* weights, int row_tile, int lane, std::uint32_t (&a)[4][4]) {
    const uint4* const mine = weights + row_tile * (B::row_tile_bytes / 16) + lane;
    if constexpr (B::format == WeightFormat::int4) {
        constexpr std::uint32_t high = 0xF0F0F0F0U;
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
            const uint4 v = mine[tile * 32];
            const std::uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int i = 0; i < 4; ++i) { // step i / 2 of the tile, rows g or g + 8
                a[2 * tile + i / 2][i % 2] = (words[i] << 4) & high;
                a[2 * tile + i / 2][i % 2 + 2] = words[i] & high;
            }
        }
    } else {
#pragma unroll
        for (int step = 0; step < 4; ++step) {
            const uint4 v = mine[step * 32];
            a[step][0] = v.x;
            a[step][1] = v.y;
            a[step][2] = v.z;
            a[step][3] = v.w;
        }
    }
}

/// One of the two warpgroups that multiply.
template<class B>
class Consumer {
  public:
    using Acc = typename Tile<B::format>::Acc;
    static constexpr int accumulators = B::group_cols / 2;

    __device__ Consumer(const Arguments& a, const Ring<B>& ring)
        : a_(a), ring_(ring), lane_(static_cast<int>(threadIdx.x) % 32) {
        const int warp = static_cast<int>(threadIdx.x) / 32;
        row_tile_ = warp % B::row_tiles;
        first_col_ = B::row_groups == 1 ? warp / 4 * B::group_cols : 0;
    }

    __device__ void run() {
        wait_for_previous_kernel(); // scales and residual
        Segments<B> segments(a_);
        Segment segment;
        while (segments.next(segment)) {
            Acc acc[accumulators];
            multiply(segment.end_slab - segment.first_slab, acc);
            const int row_tile = segment.row_block * B::row_tiles + row_tile_;
            if (!join(segment, acc) || row_tile >= a_.row_tiles)
                continue;
            const Output<B::format> output(a_, row_tile, segment.batch_block * B::cols + first_col_, lane_);
            output.write(acc);
        }
    }

  private:
    /// While the tensor cores take one slab, the next one's fragments are loaded; two sets of registers.
    __device__ void multiply(int slabs, Acc (&acc)[accumulators]) {
        std::uint32_t even[4][4];
        std::uint32_t odd[4][4];
        fetch(even);
        for (int i = 0; i < slabs; i += 2) {
            step(even, odd, acc, i, slabs);
            if (i + 1 < slabs)
                step(odd, even, acc, i + 1, slabs);
        }
        wgmma_wait<0>();
        release();
    }

    __device__ void fetch(std::uint32_t (&a)[4][4]) {
        wait_barrier(ring_.full(at_.stage), at_.parity);
        load_fragments<B>(ring_.weight_vectors(at_.stage), row_tile_, lane_, a);
    }

    __device__ void step(std::uint32_t (&now)[4][4], std::uint32_t (&next)[4][4], Acc (&acc)[accumulators],
                         int i, int slabs) {
        const std::uint64_t rows = slab_descriptor(ring_.rows(at_.stage) + first_col_ * slab_bytes);
        wgmma_fence();
#pragma unroll
        for (int s = 0; s < 4; ++s)
            wgmma(acc, now[s], rows + 2 * s, i + s > 0 ? 1 : 0);
        wgmma_commit();
        at_.advance();
        if (i > 0) {
            wgmma_wait<1>();
#pragma unroll
            for (int s = 0; s < 4; ++s)
                keep_registers(next[s]);
            release();
        }
        if (i + 1 < slabs)
            fetch(next);
    }

    /// Gives the oldest stage back, to every block that writes it.
    __device__ void release() {
        if (lane_ == 0) {
            if constexpr (B::cluster == 1) {
                arrive(ring_.empty(oldest_.stage));
            } else {
#pragma unroll
                for (int rank = 0; rank < B::cluster; ++rank)
                    arrive_at(ring_.empty(oldest_.stage), rank);
            }
        }
        oldest_.advance();
    }

    /// Whether this block writes the tile: all of its slabs were multiplied here, or this block comes last
    /// of those that share it, and has added the others' sums.
    __device__ bool join([[maybe_unused]] const Segment& s, [[maybe_unused]] Acc (&acc)[accumulators]) const {
        if constexpr (B::split) {
            if (s.end_slab - s.first_slab == a_.slabs)
                return true;
            const int tile = s.row_block * a_.batch_blocks + s.batch_block;
            const int first = split_owner(a_, tile * a_.slabs);
            const int last = split_owner(a_, tile * a_.slabs + a_.slabs - 1);
            const auto me = static_cast<int>(blockIdx.x);
            int4* const mine = partial(me, me == first);
#pragma unroll
            for (int v = 0; v < accumulators / 4; ++v)
                mine[v * consumers] = make_int4(acc[4 * v], acc[4 * v + 1], acc[4 * v + 2], acc[4 * v + 3]);
            __threadfence();
            consumer_barrier();
            __shared__ int arrived;
            if (threadIdx.x == 0)
                arrived = atomicAdd(a_.arrived + tile, 1);
            consumer_barrier();
            if (arrived != last - first)
                return false;
            __threadfence();
            if (threadIdx.x == 0)
                a_.arrived[tile] = 0;
            for (int block = first; block <= last; ++block) {
                if (block == me)
                    continue;
                const int4* const theirs = partial(block, block == first);
#pragma unroll
                for (int v = 0; v < accumulators / 4; ++v) {
                    const int4 sums = __ldcg(theirs + v * consumers);
                    acc[4 * v] += sums.x;
                    acc[4 * v + 1] += sums.y;
                    acc[4 * v + 2] += sums.z;
                    acc[4 * v + 3] += sums.w;
                }
            }
        }
        return true;
    }

    /// A block shares at most two tiles: that which another began, and the one it begins last.
    __device__ int4* partial(int block, bool begins) const {
        return reinterpret_cast<int4*>(a_.sums) +
               static_cast<std::size_t>(block * 2 + (begins ? 1 : 0)) * (consumers * accumulators / 4) +
               threadIdx.x;
    }

    static __device__ void consumer_barrier() {
        asm volatile("bar.sync 1, %0;" ::"n"(consumers) : "memory");
    }

    const Arguments& a_;
    const Ring<B>& ring_;
    int lane_;
    int row_tile_;
    int first_col_;
    Place<B::stages> at_;     ///< of the slab multiplied next
    Place<B::stages> oldest_; ///< not given back yet
};

template<class B>
__global__ void __launch_bounds__(threads, B::blocks_a_multiprocessor)
    wgmma_gemm_kernel([[maybe_unused]] const __grid_constant__ Arguments a) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) std::uint8_t wgmma_shared[];
    const Ring<B> ring(wgmma_shared);
    if (threadIdx.x == 0)
        ring.init();
    if constexpr (B::cluster > 1)
        cluster_barrier();
    else
        __syncthreads();
    let_next_kernel_start();
    if (threadIdx.x >= consumers) {
        release_registers<B::producer_registers>();
        if (threadIdx.x == consumers)
            Producer<B>(a, ring).run();
    } else {
        claim_registers<B::consumer_registers>();
        Consumer<B>(a, ring).run();
    }
    if constexpr (B::cluster > 1) // no block leaves while another may write its shared memory
        cluster_barrier();
#endif
}

struct Device {
    int multiprocessors = 0;
    bool hopper = false;

    Status ask() {
        int device = 0;
        int major = 0;
        QS_CUDA_TRY(cudaGetDevice(&device), "asking for the current device");
        QS_CUDA_TRY(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device),
                    "asking for the multiprocessor count");
        QS_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
                    "asking for the compute capability");
        hopper = major == 9;
        return {};
    }
};

template<class B>
Status launch_blocking(const StreamGemm& gemm, const Device& device, cudaStream_t stream) {
    const PackedWeights& weights = *gemm.weights;
    Arguments a{};
    a.tiles = weights.tiles.data();
    a.weight_scales = weights.scales.data();
    a.activations = static_cast<const std::uint8_t*>(gemm.activations);
    a.act_scales = gemm.act_scales;
    a.out = gemm.out;
    a.rows = weights.rows;
    a.row_tiles = weights.row_tiles();
    a.col_tiles = weights.col_tiles();
    a.batch = gemm.batch;
    a.epilogue = gemm.epilogue;
    a.slabs = (a.col_tiles + B::slab_tiles - 1) / B::slab_tiles;
    a.row_blocks = (a.row_tiles + B::row_tiles - 1) / B::row_tiles;
    a.batch_blocks = (a.batch + B::cols - 1) / B::cols;
    const int tiles = (a.row_blocks + B::cluster - 1) / B::cluster * a.batch_blocks;
    int blocks = std::min(tiles, device.multiprocessors / B::cluster) * B::cluster;
    if constexpr (B::split) {
        if (gemm.split_sums == nullptr || tiles > max_split_tiles)
            return {Status::Kind::unsupported, "wgmma_gemm was given no room for the sums of split tiles"};
        a.sums = gemm.split_sums->sums.data();
        a.arrived = gemm.split_sums->arrived.data();
        blocks = std::min(tiles * a.slabs, device.multiprocessors);
    }
    return launch("wgmma_gemm", wgmma_gemm_kernel<B>, dim3(blocks), dim3(threads), B::shared_bytes,
                  {stream, gemm.overlap_previous, B::cluster}, a);
}

template<WeightFormat format>
Status launch_variant(const StreamGemm& gemm, const Device& device, int variant, cudaStream_t stream) {
    constexpr bool f16 = format == WeightFormat::f16;
    constexpr bool int4 = format == WeightFormat::int4;
    switch (variant) {
    case 0: return launch_blocking<Blocking<format, 256, 2, int4 ? 5 : 4, 2, false, 1>>(gemm, device, stream);
    case 1: return launch_blocking<Blocking<format, 256, 2, int4 ? 5 : 4, 1, false, 1>>(gemm, device, stream);
    case 2: return launch_blocking<Blocking<format, 128, 2, int4 ? 8 : 6, 1, !f16, 1>>(gemm, device, stream);
    case 3:
        if constexpr (f16)
            return launch_blocking<Blocking<format, 128, 1, 8, 1, false, 1>>(gemm, device, stream);
        else
            return launch_blocking<Blocking<format, 64, 2, int4 ? 6 : 4, 1, true, 2>>(gemm, device, stream);
    default:
        if constexpr (f16)
            return launch_blocking<Blocking<format, 64, 1, 12, 1, false, 1>>(gemm, device, stream);
        else
            return launch_blocking<Blocking<format, 32, 2, int4 ? 8 : 5, 1, true, 2>>(gemm, device, stream);
    }
}

/// The tile sizes of the variants.
struct TileSize {
    int cols;
    int rows;
};

/// Cycles that a multiprocessor needs for its share: products of a tile, or its copies at some 40 bytes a
/// cycle, whichever is more.
double cost(const StreamGemm& gemm, const Device& device, TileSize size, bool split) {
    const PackedWeights& w = *gemm.weights;
    const int tiles = (w.rows + size.rows - 1) / size.rows * ((gemm.batch + size.cols - 1) / size.cols);
    const double products = size.cols * size.rows / 32.0;
    const double weight_bytes = size.rows * (w.format == WeightFormat::int4 ? 64.0 : 128.0);
    const double copies = (std::min(size.cols, gemm.batch) * 128.0 + weight_bytes) / 40.0;
    const double share = static_cast<double>(tiles) / device.multiprocessors;
    const double joining = 16.0; // slabs' worth
    const double turns = split ? share + joining / w.col_tiles() : std::ceil(share);
    return turns * std::max(products, copies);
}

int pick_variant(const StreamGemm& gemm, const Device& device) {
    if (gemm.weights->format != WeightFormat::f16) {
        if (gemm.batch <= 128 && gemm.split_sums != nullptr)
            return gemm.batch <= 32 ? 4 : gemm.batch <= 64 ? 3 : 2;
        const bool split = gemm.split_sums != nullptr &&
                           cost(gemm, device, {128, 128}, true) < cost(gemm, device, {256, 128}, false);
        return split ? 2 : 1;
    }
    const TileSize sizes[] = {{256, 128}, {256, 128}, {128, 128}, {128, 64}, {64, 64}};
    int best = 1;
    for (const int variant : {2, 3, 4})
        if (cost(gemm, device, sizes[variant], false) < cost(gemm, device, sizes[best], false))
            best = variant;
    return best;
}

} // namespace wgmma_detail

Status SplitSums::allocate() {
    bool fits = false;
    QS_TRY(wgmma_gemm_fits(fits));
    if (!fits)
        return {};
    wgmma_detail::Device device;
    QS_TRY(device.ask());
    QS_TRY(sums.allocate(static_cast<std::size_t>(device.multiprocessors) * 2 * 128 *
                         wgmma_detail::max_split_cols));
    QS_TRY(arrived.allocate(wgmma_detail::max_split_tiles));
    QS_CUDA_TRY(cudaMemset(arrived.data(), 0, arrived.bytes()), "clearing the counters of split tiles");
    return {};
}

Status wgmma_gemm_fits(bool& fits) {
    wgmma_detail::Device device;
    QS_TRY(device.ask());
#ifdef QUANTSCOPE_SM_90A
    fits = device.hopper;
#else
    fits = false;
#endif
    return {};
}

Status wgmma_gemm(const StreamGemm& gemm, cudaStream_t stream, int variant) {
    wgmma_detail::Device device;
    QS_TRY(device.ask());
    if (gemm.layout != RowLayout::slabs)
        return {Status::Kind::unsupported, "wgmma_gemm reads rows in slabs"};
    if (variant < 0)
        variant = wgmma_detail::pick_variant(gemm, device);
    switch (gemm.weights->format) {
    case WeightFormat::int4:
        return wgmma_detail::launch_variant<WeightFormat::int4>(gemm, device, variant, stream);
    case WeightFormat::int8:
        return wgmma_detail::launch_variant<WeightFormat::int8>(gemm, device, variant, stream);
    case WeightFormat::f16:
        return wgmma_detail::launch_variant<WeightFormat::f16>(gemm, device, variant, stream);
    }
    return {Status::Kind::unsupported, "wgmma_gemm does not know this weight format"};
}

} // namespace quantscope::kernels
