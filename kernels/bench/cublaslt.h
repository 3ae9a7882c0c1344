// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device_buffer.h"

#include <memory>

namespace quantscope::kernels {

/// cuBLASLt as the yardstick of `quantscope-kernels bench`: opened at run time, so that nothing else here
/// depends on it.
class CublasLt {
  public:
    CublasLt();
    ~CublasLt();
    CublasLt(const CublasLt&) = delete;
    CublasLt& operator=(const CublasLt&) = delete;

    /// Errors: unsupported, with what the dynamic linker answered.
    Status open();

    enum class Type { int8, f16 };

    /// out[batch][rows] (s32 for int8, f32 for f16) = x[batch][cols] * w[rows][cols]^T: tries every algorithm
    /// that the heuristics offer (32 at most) and keeps the fastest for run().
    Status choose(Type type, int rows, int cols, int batch, const void* w, const void* x, void* out,
                  cudaStream_t stream);
    Status run(const void* w, const void* x, void* out, cudaStream_t stream);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace quantscope::kernels
