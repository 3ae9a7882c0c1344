// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/attention/prefill_codes.cuh"
#include "kernels/base/device.cuh"

/// Keys and values of prefill's blocks on mma.sync, on their way to shared memory.
namespace quantscope::kernels::prefill_detail {

/// `bytes` bytes, 4 or 16, to shared memory; zeros, and nothing read, where `present` is false.
template<int bytes>
__device__ void copy_or_zero(void* to, const void* from, bool present) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
    if constexpr (bytes == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from),
                     "r"(present ? 16 : 0)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(address), "l"(from),
                     "r"(present ? 4 : 0)
                     : "memory");
}

/// Numbers of keys [first, first + block_keys) of one head, `pitch` apart; zeros from `count` on, so that
/// nothing unwritten is read.
template<int head_dim, class Number>
__device__ void load_tile(Number* to, int pitch, const Number* from, int first, int count) {
    constexpr int in_vector = 16 / static_cast<int>(sizeof(Number));
    constexpr int vectors = head_dim / in_vector;
    for (int i = threadIdx.x; i < block_keys * vectors; i += block_threads) {
        const int key = first + i / vectors;
        const bool present = key < count;
        copy_or_zero<16>(
            to + i / vectors * pitch + i % vectors * in_vector,
            from + static_cast<std::size_t>(present ? key : 0) * head_dim + i % vectors * in_vector, present);
    }
}

/// Where a segment's keys and values come from, tile after tile: the next one is on its way while one is
/// multiplied.
template<int head_dim, class Stored>
class Tiles;

template<int head_dim>
class Tiles<head_dim, __half> {
  public:
    static constexpr int tile = block_keys * (head_dim + 8);
    static constexpr std::size_t bytes = std::size_t{4} * tile * sizeof(__half);

    __device__ Tiles(void* shared, const AttentionRows& r, std::size_t first_token, int count)
        : tiles_(static_cast<__half*>(shared)), keys_from_(r.keys + first_token * head_dim),
          values_from_(r.values + first_token * head_dim), count_(count) {}

    __device__ void start(int i) {
        __half* const to = tiles_ + i % 2 * 2 * tile;
        load_tile<head_dim>(to, head_dim + 8, keys_from_, i * block_keys, count_);
        load_tile<head_dim>(to + tile, head_dim + 8, values_from_, i * block_keys, count_);
        commit_copies();
    }
    /// Tile i has come.
    __device__ void open(int i) { now_ = tiles_ + i % 2 * 2 * tile; }
    __device__ const __half* keys() const { return now_; }
    __device__ const __half* values() const { return now_ + tile; }
    __device__ TileScales scales() const { return {}; }

  private:
    __half* tiles_;
    const __half* keys_from_;
    const __half* values_from_;
    int count_;
    const __half* now_ = nullptr;
};

/// Codes come as they are and become halves when their turn comes.
template<int head_dim>
class Tiles<head_dim, std::int8_t> {
  public:
    static constexpr int tile = block_keys * (head_dim + 8);
    static constexpr int raw = block_keys * head_dim;
    static constexpr std::size_t bytes = std::size_t{2} * tile * sizeof(__half) + std::size_t{4} * raw +
                                         std::size_t{4} * block_keys * sizeof(float);

    __device__ Tiles(void* shared, const AttentionRows& r, std::size_t first_token, int count)
        : halves_(static_cast<__half*>(shared)), raw_(reinterpret_cast<std::int8_t*>(halves_ + 2 * tile)),
          scales_(reinterpret_cast<float*>(raw_ + 4 * raw)), keys_from_(r.key_codes + first_token * head_dim),
          values_from_(r.value_codes + first_token * head_dim), key_scales_from_(r.key_scales + first_token),
          value_scales_from_(r.value_scales + first_token), count_(count) {}

    __device__ void start(int i) {
        std::int8_t* const to = raw_ + i % 2 * 2 * raw;
        load_tile<head_dim>(to, head_dim, keys_from_, i * block_keys, count_);
        load_tile<head_dim>(to + raw, head_dim, values_from_, i * block_keys, count_);
        static_assert(block_threads == 2 * block_keys);
        const int key = i * block_keys + static_cast<int>(threadIdx.x) % block_keys;
        const bool present = key < count_;
        const float* const from = threadIdx.x < block_keys ? key_scales_from_ : value_scales_from_;
        copy_or_zero<4>(scales_ + i % 2 * block_threads + threadIdx.x, from + (present ? key : 0), present);
        commit_copies();
    }
    __device__ void open(int i) {
        const std::int8_t* const from = raw_ + i % 2 * 2 * raw;
        for (int at = static_cast<int>(threadIdx.x) * 8; at < 2 * raw; at += block_threads * 8) {
            *reinterpret_cast<uint4*>(halves_ + at / head_dim * (head_dim + 8) + at % head_dim) =
                halves_of(*reinterpret_cast<const uint2*>(from + at));
        }
        now_ = scales_ + i % 2 * block_threads;
        __syncthreads();
    }
    __device__ const __half* keys() const { return halves_; }
    __device__ const __half* values() const { return halves_ + tile; }
    __device__ TileScales scales() const { return {now_, now_ + block_keys}; }

  private:
    __half* halves_;   ///< keys, values: [block_keys][head_dim + 8]
    std::int8_t* raw_; ///< two of keys, values: [block_keys][head_dim]
    float* scales_;    ///< two of keys', values': [block_keys]
    const std::int8_t* keys_from_;
    const std::int8_t* values_from_;
    const float* key_scales_from_;
    const float* value_scales_from_;
    int count_;
    const float* now_ = nullptr;
};

} // namespace quantscope::kernels::prefill_detail
