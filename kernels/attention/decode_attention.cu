// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/decode_attention.h"

#include "kernels/attention/decode_sequence.cuh"
#include "kernels/base/features.h"

#include <algorithm>
#include <cmath>

namespace quantscope::kernels {
namespace {

using namespace decode_detail;

/// Stages of a block's ring: more where two blocks a multiprocessor are enough, so that more comes before the
/// kernel before has ended; fewer where four are.
constexpr int stages_for_two = 5;
constexpr int stages_for_four = 3;
constexpr int usual_stages = 4;
constexpr int blocks_at_once(int stages) {
    return stages == stages_for_four ? 4 : 3;
}

/// A block takes sequences blockIdx.x, blockIdx.x + gridDim.x, ...
/// @param splits  of the longest sequence, at least
template<int head_dim, int stages>
__global__ void __launch_bounds__(threads, blocks_at_once(stages))
    attend_decode_kernel([[maybe_unused]] const AttentionRows r, [[maybe_unused]] const float* cosines,
                         [[maybe_unused]] const float* sines, [[maybe_unused]] float* out,
                         [[maybe_unused]] int splits, [[maybe_unused]] float scale) {
#if __CUDA_ARCH__ >= 900
    extern __shared__ __align__(128) std::uint8_t decode_shared[];
    let_next_kernel_start();
    const Layout<head_dim, stages> m(decode_shared, r.shape.heads / r.shape.kv_heads, splits);
    if (threadIdx.x == compute_threads) {
        for (int stage = 0; stage < stages; ++stage) {
            init_barrier(m.full_at(stage), 1);
            init_barrier(m.empty_at(stage), compute_warps * arrivals_a_warp);
        }
        fence_barrier_init();
        fence_shared_accesses();
    }
    __syncthreads();
    if (threadIdx.x >= compute_threads) {
        if (threadIdx.x == compute_threads)
            bring_cache(r, m);
    } else {
        compute(r, m, cosines, sines, out, scale);
    }
#endif
}

/// Blocks that keep a large GPU's memory busy, each with a whole sequence of a kv head.
constexpr int enough_blocks = 96;

template<int head_dim, int stages>
Status launch_decode(const AttentionRows& rows, const float* cosines, const float* sines, float* out,
                     int splits, int blocks, const Launch& how) {
    const AttentionShape& s = rows.shape;
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    return launch("attend_decode", attend_decode_kernel<head_dim, stages>, dim3(blocks), dim3(threads),
                  Layout<head_dim, stages>::bytes(s.heads / s.kv_heads, splits), how, rows, cosines, sines,
                  out, splits, scale);
}

template<int head_dim>
Status launch_decode(const AttentionRows& rows, const float* cosines, const float* sines, float* out,
                     int splits, const Launch& how) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const int multiprocessors = device->multiprocessors;
    const int items = rows.shape.kv_heads * rows.rows;
    if (items <= 2 * multiprocessors)
        return launch_decode<head_dim, stages_for_two>(rows, cosines, sines, out, splits, items, how);
    if (items <= 4 * multiprocessors)
        return launch_decode<head_dim, stages_for_four>(rows, cosines, sines, out, splits, items, how);
    const int at_once = blocks_at_once(usual_stages) * multiprocessors;
    return launch_decode<head_dim, usual_stages>(rows, cosines, sines, out, splits,
                                                 items <= 2 * at_once ? items : at_once, how);
}

} // namespace

Status attend_decode(const AttentionRows& rows, const float* cosines, const float* sines, float* out,
                     float* partials, int splits, const Launch& how) {
    constexpr std::size_t most_bytes = 227 * 1024;
    const AttentionShape& s = rows.shape;
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const bool whole = s.heads % s.kv_heads == 0 && rows.key_codes == nullptr;
    const bool many = device->hopper && whole && rows.rows * s.kv_heads >= enough_blocks;
    const int group = whole ? s.heads / s.kv_heads : 1;
    if (many && s.head_dim == 128 && Layout<128, stages_for_two>::bytes(group, splits) <= most_bytes)
        return launch_decode<128>(rows, cosines, sines, out, splits, how);
    if (many && s.head_dim == 64 && Layout<64, stages_for_two>::bytes(group, splits) <= most_bytes)
        return launch_decode<64>(rows, cosines, sines, out, splits, how);
    QS_TRY(rotate_and_append(rows, cosines, sines, how));
    return attend(rows, out, partials, splits, {how.stream, true});
}

} // namespace quantscope::kernels
