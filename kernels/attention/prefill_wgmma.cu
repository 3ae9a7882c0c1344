// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/prefill.cuh"
#include "kernels/attention/prefill_rows.cuh"
#include "kernels/attention/prefill_wgmma_pieces.cuh"
#include "kernels/base/device.cuh"

#include <algorithm>

/// Blocks stay and take piece after piece (a head and 128 rows): one warpgroup copies keys and values, two
/// more take 64 rows each. While a warpgroup makes exponentials of one tile of keys, its own products with
/// the values of the tile before, and the other warpgroup's, are under way.
namespace quantscope::kernels {
namespace attend_wgmma {

using prefill_detail::TwoHalves;

/// Half of the warpgroup that copies into shared memory: two warps bring keys, two values, each at its own
/// pace.
template<int head_dim>
class Producer {
  public:
    static constexpr int threads = 64;

    __device__ Producer(const AttentionRows& r, const Shared<head_dim>& shared)
        : r_(r), shared_(shared), thread_((static_cast<int>(threadIdx.x) - consumers) % threads),
          values_(static_cast<int>(threadIdx.x) - consumers >= threads) {}

    __device__ void run() {
        Pieces pieces(r_);
        int head = 0;
        int first_row = 0;
        while (pieces.next(head, first_row)) {
            Segment segment;
            while (next_segment(r_, first_row, segment))
                produce(segment, head);
        }
    }

  private:
    __device__ void produce(const Segment& segment, int head) {
        const AttentionShape& s = r_.shape;
        const std::size_t cache =
            static_cast<std::size_t>(max(segment.slot, 0)) * s.slot_size() +
            static_cast<std::size_t>(head / (s.heads / s.kv_heads)) * s.context * head_dim;
        for (int first = 0; first < segment.keys; first += tile_keys) {
            wait_barrier(shared_.empty(values_, at_.stage), at_.parity ^ 1);
            copy((values_ ? r_.values : r_.keys) + cache, first, segment.keys);
            wait_copies<0>();
            fence_shared_accesses();
            __syncwarp();
            if (thread_ % 32 == 0)
                arrive(shared_.full(values_, at_.stage));
            at_.advance();
        }
    }

    /// Keys or values [first, first + tile_keys) of one head; zeros from `count` on, so that nothing
    /// unwritten is read.
    __device__ void copy(const __half* from, int first, int count) const {
        using L = Layout<head_dim>;
        constexpr int vectors = head_dim / 8; // of 16 bytes, a row
        constexpr int step = threads / vectors;
        const int row = thread_ / vectors;
        const int vector = thread_ % vectors;
        const std::uint32_t to =
            shared_.tile(values_, at_.stage) + vector / 8 * L::tile_part + row * row_bytes;
        const __half* const source = from + vector * 8;
#pragma unroll 4
        for (int i = 0; i < tile_keys; i += step) {
            const int key = first + row + i;
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                             to + i * row_bytes + (vector % 8 ^ (row + i) % 8) * 16),
                         "l"(source + static_cast<std::size_t>(min(key, count - 1)) * head_dim),
                         "r"(key < count ? 16 : 0)
                         : "memory");
        }
        commit_copies();
    }

    const AttentionRows& r_;
    const Shared<head_dim>& shared_;
    int thread_;
    bool values_;
    Turn at_;
};

__device__ inline float power_of_two(float x) {
    float y = 0.0F;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/// A warpgroup and its 64 rows. Lane 4g + t of a warp holds rows g and g + 8 of the warp's 16, as a tensor
/// core fragment does: of scores (and sums) columns 8j + 2t and the next as numbers 4j .. 4j + 3 (row g, row
/// g + 8).
template<int head_dim>
class Consumer {
  public:
    /// @param scale  of scores, times log2 e
    __device__ Consumer(const AttentionRows& r, const Shared<head_dim>& shared, float* out, float scale)
        : r_(r), shared_(shared), out_(out), scale_(scale), lane_(static_cast<int>(threadIdx.x) % 32),
          group_(static_cast<int>(threadIdx.x) / 128),
          row_(static_cast<int>(threadIdx.x) / 32 * 16 + lane_ / 4) {}

    __device__ void run() {
        Pieces pieces(r_);
        int head = 0;
        int first_row = 0;
        while (pieces.next(head, first_row)) {
            load_queries(head, first_row);
            Segment segment;
            while (next_segment(r_, first_row, segment)) {
                begin(segment, first_row);
                const int mine = tiles_of(group_ == 0 ? segment.group_keys[0] : segment.group_keys[1]);
                if (mine > 0)
                    attend(mine);
                pass(tiles_of(segment.keys) - mine);
                write(segment, head, first_row);
            }
        }
    }

  private:
    using L = Layout<head_dim>;
    using Scores = float[tile_keys / 2];
    using Halves = std::uint32_t[tile_keys / 16][4];

    /// Puts the group's queries into shared memory, as two halves each.
    __device__ void load_queries(int head, int first_row) const {
        constexpr int vectors = head_dim / 4; // of four floats, a row
        const auto thread = static_cast<int>(threadIdx.x) % 128;
        const int vector = thread % vectors;
        const float* const from = r_.qkv + head * head_dim + vector * 4;
        constexpr int step = 128 / vectors; // rows
        float4 q[group_rows / step];        // all are asked for before the first is used
#pragma unroll
        for (int i = 0; i < group_rows / step; ++i) {
            const int row = first_row + group_ * group_rows + thread / vectors + i * step;
            q[i] = row < r_.rows ? *reinterpret_cast<const float4*>(from + static_cast<std::size_t>(row) *
                                                                               r_.shape.qkv_size())
                                 : float4{0.0F, 0.0F, 0.0F, 0.0F};
        }
        group_barrier(); // the piece before has been multiplied
#pragma unroll
        for (int i = 0; i < group_rows / step; ++i) {
            const int row = thread / vectors + i * step;
            const TwoHalves xy(q[i].x, q[i].y);
            const TwoHalves zw(q[i].z, q[i].w);
            const std::uint32_t to = shared_.queries(group_) + vector / 16 * L::query_part + row * row_bytes +
                                     (vector % 16 / 2 ^ row % 8) * 16 + vector % 2 * 8;
            store_shared(to, xy.high, zw.high);
            store_shared(to + L::parts * L::query_part, xy.low, zw.low);
        }
        fence_shared_accesses();
        group_barrier();
    }

    __device__ void begin(const Segment& segment, int first_row) {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            const int row = row_ + 8 * upper;
            keys_[upper] = row >= segment.first && row < segment.end ? keys_of(r_, first_row + row) : 0;
            peak_[upper] = -INFINITY;
            weight_[upper] = 0.0F;
        }
        fewest_keys_ = __reduce_min_sync(0xFFFFFFFFU, min(keys_[0], keys_[1]));
    }

    __device__ void attend(int tiles) {
        Scores scores;
        Halves high;
        Halves low;
        float rescale[2];
        score(scores);
        wgmma_wait<0>();
        settle(scores);
        release(false, keys_at_);
        exponentiate(scores, 0, rescale);
        split(scores, high, low);
        for (int i = 1; i < tiles; ++i) {
            score(scores);
            add(high, low, i > 1);
            wgmma_wait<1>();
            settle(scores);
            release(false, keys_at_);
            exponentiate(scores, i * tile_keys, rescale);
            wgmma_wait<0>();
            finish_add(high, low);
#pragma unroll
            for (int j = 0; j < head_dim / 2; ++j)
                sum_[j] *= rescale[j / 2 % 2];
            split(scores, high, low);
        }
        add(high, low, tiles > 1);
        wgmma_wait<0>();
        finish_add(high, low);
    }

    /// Asks for the products of all rows with the next tile's keys.
    __device__ void score(Scores& scores) const {
        wait_barrier(shared_.full(false, keys_at_.stage), keys_at_.parity);
        const std::uint64_t queries = slab_descriptor(computed_here(shared_.queries(group_)));
        const std::uint64_t keys = slab_descriptor(computed_here(shared_.tile(false, keys_at_.stage)));
        constexpr int low = L::parts * L::query_part / 16;
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < head_dim / 16; ++k) {
            const std::uint64_t a = queries + k / 4 * (L::query_part / 16) + k % 4 * 2;
            const std::uint64_t b = keys + k / 4 * (L::tile_part / 16) + k % 4 * 2;
            wgmma_shared(scores, a + low, b, k > 0 ? 1 : 0);
            wgmma_shared(scores, a, b, 1);
        }
        wgmma_commit();
    }

    /// Asks for the products with the next tile's values, added to what is there, if anything is.
    __device__ void add(const Halves& high, const Halves& low, bool to_before) {
        wait_barrier(shared_.full(true, values_at_.stage), values_at_.parity);
        const std::uint64_t values =
            transposed_descriptor(computed_here(shared_.tile(true, values_at_.stage)), L::tile_part);
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < tile_keys / 16; ++k) {
            wgmma_transposed(sum_, low[k], values + k * (16 * row_bytes / 16), to_before || k > 0 ? 1 : 0);
            wgmma_transposed(sum_, high[k], values + k * (16 * row_bytes / 16), 1);
        }
        wgmma_commit();
    }

    __device__ void finish_add(Halves& high, Halves& low) {
        settle(sum_);
#pragma unroll
        for (int k = 0; k < tile_keys / 16; ++k) {
            keep_registers(high[k]);
            keep_registers(low[k]);
        }
        release(true, values_at_);
    }

    /// Scores become exponentials against the largest so far, to which what was summed is to be rescaled.
    __device__ void exponentiate(Scores& scores, int first_key, float (&rescale)[2]) {
        if (first_key + tile_keys > fewest_keys_) {
#pragma unroll
            for (int j = 0; j < tile_keys / 2; ++j)
                if (first_key + j / 4 * 8 + lane_ % 4 * 2 + j % 2 >= keys_[j / 2 % 2])
                    scores[j] = -INFINITY;
        }
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            const auto at = [&](int n) -> float& { return scores[n / 2 * 4 + 2 * upper + n % 2]; };
            float peaks[4] = {peak_[upper], -INFINITY, -INFINITY, -INFINITY};
#pragma unroll
            for (int n = 0; n < tile_keys / 4; ++n)
                peaks[n % 4] = fmaxf(peaks[n % 4], at(n));
            float peak = fmaxf(fmaxf(peaks[0], peaks[1]), fmaxf(peaks[2], peaks[3]));
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, 1));
            peak = fmaxf(peak, __shfl_xor_sync(0xFFFFFFFFU, peak, 2));
            const float base = peak == -INFINITY ? 0.0F : peak * scale_; // a row of another slot has no keys
            // Exactly 1 where the peak stays: tiles behind a row's last key must not change its bits.
            rescale[upper] = peak == peak_[upper] ? 1.0F : power_of_two((peak_[upper] - peak) * scale_);
            peak_[upper] = peak;
            float weights[4] = {weight_[upper] * rescale[upper], 0.0F, 0.0F, 0.0F};
#pragma unroll
            for (int n = 0; n < tile_keys / 4; ++n) {
                at(n) = power_of_two(__fmaf_rn(at(n), scale_, -base));
                weights[n % 4] += at(n);
            }
            weight_[upper] = (weights[0] + weights[1]) + (weights[2] + weights[3]);
        }
    }

    /// Exponentials as fragments of two halves each.
    static __device__ void split(const Scores& p, Halves& high, Halves& low) {
#pragma unroll
        for (int k = 0; k < tile_keys / 16; ++k)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const TwoHalves halves(p[8 * k + 2 * i], p[8 * k + 2 * i + 1]);
                high[k][i] = halves.high;
                low[k][i] = halves.low;
            }
    }

    /// Tiles that only the other group needs.
    __device__ void pass(int tiles) {
        for (int i = 0; i < tiles; ++i) {
            wait_barrier(shared_.full(false, keys_at_.stage), keys_at_.parity);
            release(false, keys_at_);
            wait_barrier(shared_.full(true, values_at_.stage), values_at_.parity);
            release(true, values_at_);
        }
    }

    __device__ void release(bool values, Turn& at) const {
        __syncwarp(); // no lane still asks for this turn: when the next is full, it would seem not to have
                      // come
        if (lane_ == 0)
            arrive(shared_.empty(values, at.stage));
        at.advance();
    }

    __device__ void write(const Segment& segment, int head, int first_row) const {
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
            float weight = weight_[upper];
            weight += __shfl_xor_sync(0xFFFFFFFFU, weight, 1);
            weight += __shfl_xor_sync(0xFFFFFFFFU, weight, 2);
            const int row = row_ + 8 * upper;
            if (row < segment.first || row >= segment.end)
                continue;
            const bool any = keys_[upper] > 0;
            const float inverse = 1.0F / weight;
            float* const to = out_ +
                              (static_cast<std::size_t>(first_row + row) * r_.shape.heads + head) * head_dim +
                              lane_ % 4 * 2;
#pragma unroll
            for (int d = 0; d < head_dim / 8; ++d)
                *reinterpret_cast<float2*>(to + d * 8) =
                    any ? float2{sum_[4 * d + 2 * upper] * inverse, sum_[4 * d + 2 * upper + 1] * inverse}
                        : float2{0.0F, 0.0F};
        }
    }

    /// Keeps the compiler from computing all descriptors ahead of the loop, for which there are no registers.
    static __device__ std::uint32_t computed_here(std::uint32_t address) {
        asm volatile("" : "+r"(address));
        return address;
    }

    __device__ void group_barrier() const {
        asm volatile("bar.sync %0, 128;" ::"r"(1 + group_) : "memory");
    }

    static __device__ void store_shared(std::uint32_t to, std::uint32_t a, std::uint32_t b) {
        asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(to), "r"(a), "r"(b) : "memory");
    }

    const AttentionRows& r_;
    const Shared<head_dim>& shared_;
    float* out_;
    float scale_;
    int lane_;
    int group_;
    int row_; ///< the first of the lane's two, in the piece
    int keys_[2];
    int fewest_keys_ = 0; ///< of the warp's rows
    float sum_[head_dim / 2];
    float peak_[2];
    float weight_[2]; ///< this lane's share
    Turn keys_at_;
    Turn values_at_;
};

template<int head_dim>
__global__ void __launch_bounds__(threads, 1)
    attend_prefill_wgmma_kernel([[maybe_unused]] const __grid_constant__ AttentionRows r,
                                [[maybe_unused]] float* out, [[maybe_unused]] float scale) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) std::uint8_t attend_wgmma_shared[];
    const Shared<head_dim> shared(attend_wgmma_shared);
    if (threadIdx.x == 0)
        shared.init();
    __syncthreads();
    let_next_kernel_start();
    wait_for_previous_kernel();
    if (threadIdx.x >= consumers) {
        release_registers<40>();
        Producer<head_dim>(r, shared).run();
    } else {
        claim_registers<232>();
        Consumer<head_dim>(r, shared, out, scale).run();
    }
#endif
}

template<int head_dim>
Status launch_wgmma(const AttentionRows& rows, float* out, const Launch& how) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const int multiprocessors = device->multiprocessors;
    const int pieces = rows.shape.heads * ((rows.rows + piece_rows - 1) / piece_rows);
    constexpr float log2_e = 1.44269504F;
    return launch("attend_prefill_wgmma", attend_prefill_wgmma_kernel<head_dim>,
                  dim3(std::min(pieces, multiprocessors)), dim3(threads), Layout<head_dim>::bytes, how, rows,
                  out, log2_e / std::sqrt(static_cast<float>(head_dim)));
}

} // namespace attend_wgmma

Status attend_prefill_wgmma(const AttentionRows& rows, float* out, const Launch& how) {
    return rows.shape.head_dim == 64 ? attend_wgmma::launch_wgmma<64>(rows, out, how)
                                     : attend_wgmma::launch_wgmma<128>(rows, out, how);
}

} // namespace quantscope::kernels
