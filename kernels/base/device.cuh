// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cuda_runtime.h>

/// What every kernel here needs: its place in a chain of dependent launches, asynchronous copies, and sums
/// over a block in a fixed order.
namespace quantscope::kernels {

/// Returns once every kernel before this one has finished and its writes are visible.
__device__ inline void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Blocks of the next kernel may start as soon as every block here said so.
__device__ inline void let_next_kernel_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// 16 bytes from global to shared memory; both aligned to 16.
__device__ inline void copy_async16(void* shared, const void* global) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
}
__device__ inline void commit_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template<int pending>
__device__ void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

/// The barrier of all threads of a block.
struct BlockBarrier {
    __device__ void operator()() const { __syncthreads(); }
};

/// Combines `value` over the block: a tree in each warp, then a tree over the warps. All threads get the
/// result; all must call. `scratch`: 32 floats of shared memory that no thread reads or writes before the
/// block's next barrier. `threads` of the block take part (0: all), which `barrier` holds. 0 must be neutral
/// to `combine` for the values that occur.
template<class Combine, class Barrier = BlockBarrier>
__device__ float block_combine(float value, float* scratch, Combine combine, int threads = 0,
                               Barrier barrier = {}) {
    for (int offset = 16; offset > 0; offset /= 2)
        value = combine(value, __shfl_xor_sync(0xFFFFFFFFU, value, offset));
    const int lane = static_cast<int>(threadIdx.x) % 32;
    if (lane == 0)
        scratch[threadIdx.x / 32] = value;
    barrier();
    value = lane < ((threads > 0 ? threads : static_cast<int>(blockDim.x)) + 31) / 32 ? scratch[lane] : 0.0F;
    for (int offset = 16; offset > 0; offset /= 2)
        value = combine(value, __shfl_xor_sync(0xFFFFFFFFU, value, offset));
    return value;
}

} // namespace quantscope::kernels
