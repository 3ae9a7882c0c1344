// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/features.h"

#include <array>
#include <cuda_runtime.h>
#include <memory>
#include <mutex>

namespace quantscope::kernels {
namespace {

constexpr int max_devices = 64;

/// Stands for all kernels of the binary, which are compiled for the same architectures: what the driver takes
/// of it, it takes of them.
__global__ void probe_kernel() {}

Status no_code(int device, cudaError_t error) {
    cudaDeviceProp properties{};
    QS_CUDA_TRY(cudaGetDeviceProperties(&properties, device), "reading the device's properties");
    return {Status::Kind::unsupported, std::string(properties.name) + " has compute capability " +
                                           std::to_string(properties.major) + "." +
                                           std::to_string(properties.minor) +
                                           ", and this build's kernels are for " QUANTSCOPE_CUDA_CODE " (" +
                                           cudaGetErrorString(error) + ")"};
}

Status ask(int device, DeviceFeatures& features) {
    cudaFuncAttributes code{};
    const cudaError_t probed = cudaFuncGetAttributes(&code, probe_kernel);
    if (probed == cudaErrorNoKernelImageForDevice || probed == cudaErrorInvalidDeviceFunction ||
        probed == cudaErrorUnsupportedPtxVersion || probed == cudaErrorInvalidPtx ||
        probed == cudaErrorJitCompilerNotFound || probed == cudaErrorJitCompilationDisabled) {
        static_cast<void>(cudaGetLastError());
        return no_code(device, probed);
    }
    QS_CUDA_TRY(probed, "asking which kernels the device takes");
    int major = 0;
    int minor = 0;
    int cooperative = 0;
    const auto attribute = [&](int& value, cudaDeviceAttr which) {
        return cuda_status(cudaDeviceGetAttribute(&value, which, device),
                           "asking for the device's attributes");
    };
    QS_TRY(attribute(major, cudaDevAttrComputeCapabilityMajor));
    QS_TRY(attribute(minor, cudaDevAttrComputeCapabilityMinor));
    QS_TRY(attribute(cooperative, cudaDevAttrCooperativeLaunch));
    QS_TRY(attribute(features.multiprocessors, cudaDevAttrMultiProcessorCount));
    QS_TRY(attribute(features.max_shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin));
    features.cooperative = cooperative != 0;
    features.code_arch = code.ptxVersion * 10;
    features.dependent_launch = features.code_arch >= 900;
    features.compiled_now = code.ptxVersion != major * 10 + minor && code.binaryVersion == major * 10 + minor;
#ifdef QUANTSCOPE_SM_90A
    features.hopper = major == 9 && minor == 0 && features.code_arch == 900;
#endif
    return {};
}

} // namespace

Status device_features(const DeviceFeatures*& features) {
    static std::mutex mutex;
    static std::array<std::unique_ptr<const DeviceFeatures>, max_devices> known;
    int device = 0;
    QS_CUDA_TRY(cudaGetDevice(&device), "asking for the current device");
    if (device >= max_devices)
        return {Status::Kind::unsupported, "device " + std::to_string(device) + " is beyond the " +
                                               std::to_string(max_devices) + " that are looked at"};
    const std::lock_guard lock(mutex);
    if (!known[device]) {
        auto found = std::make_unique<DeviceFeatures>();
        QS_TRY(ask(device, *found));
        known[device] = std::move(found);
    }
    features = known[device].get();
    return {};
}

} // namespace quantscope::kernels
