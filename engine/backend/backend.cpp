// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/backend.h"

#include "engine/backend/cpu/cpu_backend.h"

#include <fmt/format.h>

#ifdef QUANTSCOPE_HAVE_CUDA
#include "engine/backend/cuda/cuda_backend.h"
#endif

namespace quantscope {
namespace {

Expected<std::unique_ptr<Backend>> make_cuda() {
#ifdef QUANTSCOPE_HAVE_CUDA
    return cuda::make_cuda_backend();
#else
    return make_error(ErrorCode::unsupported, "This build of Quantscope has no CUDA backend.",
                      "Use --backend cpu, or build with the CUDA Toolkit installed (-DQUANTSCOPE_CUDA=ON).");
#endif
}

bool has_cuda_device() {
#ifdef QUANTSCOPE_HAVE_CUDA
    return cuda::device_count() > 0;
#else
    return false;
#endif
}

} // namespace

std::string Session::find_not_finite(int, std::span<const std::int32_t>) {
    return {};
}

Expected<std::unique_ptr<Backend>> make_backend(const std::string& which) {
    if (which == "cuda") {
        return make_cuda();
    }
    if (which == "auto") {
        auto backend = make_cuda();
        if (backend) {
            return backend;
        }
        if (has_cuda_device()) { // what keeps a GPU that is there from being used must not stay unsaid
            fmt::print(stderr, "{} The CPU engine is used instead.\n", backend.error().message);
        }
    }
    if (which == "auto" || which == "cpu") {
        return std::make_unique<cpu::CpuBackend>();
    }
    return make_error(ErrorCode::bad_input, fmt::format("There is no backend named \"{}\".", which),
                      "Name one of auto, cpu and cuda.");
}

std::vector<DeviceInfo> list_devices() {
    std::vector<DeviceInfo> devices;
    if (auto backend = make_cuda()) {
        devices.push_back((*backend)->device());
    }
    devices.push_back(cpu::CpuBackend().device());
    return devices;
}

} // namespace quantscope
