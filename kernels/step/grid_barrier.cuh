// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/step/decode_step.h"

namespace quantscope::kernels {

/// The barrier of the block's step_threads threads; the warp that brings the weights takes no part.
struct StepBarrier {
    __device__ void operator()() const { asm volatile("bar.sync 1, %0;" ::"n"(step_threads) : "memory"); }
};

/// A barrier of all blocks of a grid that are resident together (cooperative launch). What a block wrote
/// before arrive() is visible to all blocks after wait(), through loads that ask L2 (__ldcg). In shared
/// memory.
class GridBarrier {
  public:
    __device__ void init(GridCounters* counters) {
        counters_ = counters;
        expected_ = 0;
    }

    /// All threads of the block.
    __device__ void arrive() {
        StepBarrier()();
        if (threadIdx.x == 0) {
            expected_ += gridDim.x;
            asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(&counters_->arrived) : "memory");
        }
    }

    __device__ void wait() {
        if (threadIdx.x == 0) {
            unsigned arrived = 0;
            for (unsigned polls = 0; arrived < expected_; ++polls) {
                asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                             : "=r"(arrived)
                             : "l"(&counters_->arrived)
                             : "memory");
                if (polls == max_polls)
                    __trap(); // a block is missing: an error is better than a hang
            }
        }
        StepBarrier()();
    }

    /// After the last wait(): leaves the counters as they were found.
    __device__ void leave() {
        if (threadIdx.x == 0 && atomicAdd(&counters_->left, 1U) + 1 == gridDim.x) {
            counters_->arrived = 0;
            counters_->left = 0;
        }
    }

  private:
    static constexpr unsigned max_polls = 1U << 24U; ///< some ten seconds

    GridCounters* counters_;
    unsigned expected_; ///< of thread 0
};

} // namespace quantscope::kernels
