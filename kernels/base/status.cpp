// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/status.h"

#include <cuda_runtime.h>

namespace quantscope::kernels {

Status cuda_status(int error, const std::string& doing) {
    const auto code = static_cast<cudaError_t>(error);
    if (code == cudaSuccess)
        return {};
    Status status;
    switch (code) {
    case cudaErrorMemoryAllocation: status.kind = Status::Kind::out_of_memory; break;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver: status.kind = Status::Kind::no_device; break;
    case cudaErrorNoKernelImageForDevice: status.kind = Status::Kind::unsupported; break;
    default: status.kind = Status::Kind::failed; break;
    }
    status.message =
        doing + ": CUDA answered " + cudaGetErrorName(code) + " (" + cudaGetErrorString(code) + ")";
    return status;
}

} // namespace quantscope::kernels
