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

/// Combines `value` over the block: a tree in each warp, then the warps in order. All threads get the result;
/// all must call. `scratch` holds 33 floats of shared memory.
template<class Combine>
__device__ float block_combine(float value, float* scratch, Combine combine) {
    for (int offset = 16; offset > 0; offset /= 2)
        value = combine(value, __shfl_xor_sync(0xFFFFFFFFU, value, offset));
    const int warp = static_cast<int>(threadIdx.x) / 32;
    if (threadIdx.x % 32 == 0)
        scratch[warp] = value;
    __syncthreads();
    if (threadIdx.x == 0) {
        const int warps = static_cast<int>(blockDim.x + 31) / 32;
        float total = scratch[0];
        for (int w = 1; w < warps; ++w)
            total = combine(total, scratch[w]);
        scratch[32] = total;
    }
    __syncthreads();
    const float total = scratch[32];
    __syncthreads(); // scratch may be written again
    return total;
}

} // namespace quantscope::kernels
