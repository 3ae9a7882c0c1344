// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda_backend.h"

#include "engine/backend/create_check.h"
#include "engine/backend/cuda/cuda_session.h"
#include "engine/backend/cuda/status_error.h"
#include "engine/backend/kv_range.h"
#include "kernels/base/features.h"

#include <array>
#include <cuda_runtime.h>
#include <fmt/format.h>
#include <new>

namespace quantscope::cuda {
namespace {

using kernels::cuda_status;

Expected<> check_heads(const ModelConfig& config) {
    if (config.head_dim % 32 != 0 || config.head_dim > kernels::max_head_dim) {
        return make_error(
            ErrorCode::unsupported,
            fmt::format(
                "Model {} has heads of {} dimensions; the CUDA backend takes multiples of 32 up to {}.",
                config.name, config.head_dim, kernels::max_head_dim),
            "Use --backend cpu.");
    }
    return {};
}

class CudaBackend final : public Backend {
  public:
    explicit CudaBackend(DeviceInfo info) : info_(std::move(info)) {}

    DeviceInfo device() const override { return info_; }
    std::int64_t free_bytes() const override {
        std::size_t free = 0;
        std::size_t total = 0;
        const bool asked = cudaMemGetInfo(&free, &total) == cudaSuccess;
        return asked ? static_cast<std::int64_t>(free) : info_.memory_bytes;
    }
    bool supports(const Scheme& scheme) const override { return runs_here(scheme); }
    Expected<std::unique_ptr<Session>> create(const Checkpoint& checkpoint, const Scheme& scheme,
                                              const SessionLimits& limits) override;

  private:
    DeviceInfo info_;
};

Expected<std::unique_ptr<Session>> CudaBackend::create(const Checkpoint& checkpoint, const Scheme& scheme,
                                                       const SessionLimits& limits) {
    const ModelConfig& config = checkpoint.config();
    const auto ok =
        check_create("CUDA", config, scheme, limits).and_then([&] { return check_heads(config); });
    if (!ok) {
        return tl::unexpected(ok.error());
    }
    if (auto fits = scheme.kv_cache == Precision::fp16 ? check_halves_hold_kv(checkpoint, scheme)
                                                       : check_cuda_codes_hold_kv(checkpoint, scheme);
        !fits) {
        return tl::unexpected(fits.error());
    }
    const int context = context_of(config, limits);
    try {
        auto weights = load_weights(checkpoint, scheme);
        if (!weights) {
            return tl::unexpected(weights.error());
        }
        auto session =
            std::make_unique<CudaSession>(config, scheme, std::move(*weights), limits.max_slots, context);
        if (auto opened = session->open(); !opened) {
            return tl::unexpected(opened.error());
        }
        return session;
    } catch (const std::bad_alloc&) {
        return make_error(ErrorCode::out_of_memory,
                          fmt::format("The host's memory ran out while model {} was loaded under {}.",
                                      config.name, scheme.id),
                          "Use a smaller batch, a shorter context or a scheme with fewer bits.");
    }
}

std::string version_text(int version) {
    return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

/// What a reader of a latency has to know of the code that ran: which is not what the device's number says.
std::string code_text(const kernels::DeviceFeatures& features) {
    return fmt::format(", kernels for sm_{}{}{}", features.code_arch / 10, features.hopper ? "a" : "",
                       features.compiled_now ? " compiled by the driver" : "");
}

int count_devices(cudaError_t& error) {
    int count = 0;
    error = cudaGetDeviceCount(&count);
    static_cast<void>(cudaGetLastError());
    return error == cudaSuccess ? count : 0;
}

} // namespace

int device_count() {
    cudaError_t ignored = cudaSuccess;
    return count_devices(ignored);
}

Expected<std::unique_ptr<Backend>> make_cuda_backend() {
    cudaError_t counted = cudaSuccess;
    if (count_devices(counted) == 0) {
        return make_error(
            ErrorCode::unsupported,
            fmt::format("No CUDA device answers on this machine ({}).",
                        counted == cudaSuccess ? "the driver has none" : cudaGetErrorString(counted)),
            "Use --backend cpu, or install NVIDIA's driver on a machine with its GPU.");
    }
    cudaDeviceProp properties{};
    int driver = 0;
    QS_CUDA_EXPECT(cuda_status(cudaGetDeviceProperties(&properties, 0), "reading the device's properties"),
                   "Opening the GPU");
    QS_CUDA_EXPECT(cuda_status(cudaDriverGetVersion(&driver), "reading the driver's version"),
                   "Opening the GPU");
    std::array<char, 32> bus{}; // without it there is no telemetry, nothing more
    if (cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), 0) != cudaSuccess) {
        static_cast<void>(cudaGetLastError());
        bus.fill('\0');
    }
    // Asks for code, not for a number: a device that is newer than this build may run it, or not.
    const kernels::DeviceFeatures* features = nullptr;
    QS_CUDA_EXPECT(kernels::device_features(features), "Opening the GPU");
    return std::make_unique<CudaBackend>(
        DeviceInfo{.id = "cuda:0",
                   .backend = "cuda",
                   .name = properties.name,
                   .memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem),
                   .detail = fmt::format("compute capability {}.{}, {} multiprocessors, driver for CUDA {}{}",
                                         properties.major, properties.minor, properties.multiProcessorCount,
                                         version_text(driver), code_text(*features)),
                   .pci_bus_id = bus.data()});
}

} // namespace quantscope::cuda
