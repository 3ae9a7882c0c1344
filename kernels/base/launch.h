// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/features.h"

#include <cuda_runtime.h>

namespace quantscope::kernels {

/// How a kernel joins its stream.
struct Launch {
    cudaStream_t stream = nullptr;
    /// Programmatic dependent launch: blocks start while the kernel before still runs. Every kernel here
    /// waits for it before it touches what another kernel wrote (base/device.cuh). Ignored where the device's
    /// code has no such wait.
    bool overlap_previous = false;
    int cluster = 1; ///< blocks that start together and reach each other's shared memory
};

/// A block has 48 KiB of shared memory unasked, its kernel's own variables among them: more than this of what
/// comes beside them is asked for.
constexpr std::size_t unasked_shared_bytes = 40 * 1024;

/// Launches `kernel`; shared memory is asked for where needed.
template<class... Parameters, class... Arguments>
Status launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
              std::size_t shared_bytes, const Launch& how, const Arguments&... arguments) {
    if (shared_bytes > unasked_shared_bytes)
        QS_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(shared_bytes)),
                    std::string("reserving ") + std::to_string(shared_bytes) +
                        " bytes of shared memory for " + name);
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = how.stream;
    cudaLaunchAttribute attributes[2] = {};
    config.attrs = attributes;
    if (how.overlap_previous && device->dependent_launch) {
        cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
        attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attribute.val.programmaticStreamSerializationAllowed = 1;
    }
    if (how.cluster > 1) {
        cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
        attribute.id = cudaLaunchAttributeClusterDimension;
        attribute.val.clusterDim = {static_cast<unsigned>(how.cluster), 1, 1};
    }
    QS_CUDA_TRY(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
                std::string("launching ") + name);
    return {};
}

} // namespace quantscope::kernels
