// SPDX-License-Identifier: Apache-2.0
#include "engine/telemetry/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace quantscope::telemetry {
namespace {

// What is used of NVML's C interface (https://docs.nvidia.com/deploy/nvml-api/).
using Device = void*;
using Result = int;
constexpr Result success = 0;
constexpr int clock_sm = 1;
constexpr int clock_memory = 2;
constexpr int sensor_gpu = 0;

/// What `call(arguments..., &value)` says, in another unit.
template<class Value, class Call, class... Arguments>
std::optional<double> figure(Call call, double unit, Arguments... arguments) {
    Value value = 0;
    if (call == nullptr || call(arguments..., &value) != success) {
        return std::nullopt;
    }
    return static_cast<double>(value) * unit;
}

} // namespace

/// The loaded library; started once `started` is set.
struct Nvml::Library {
    void* handle = nullptr;
    bool started = false;

    Result (*init)() = nullptr;
    Result (*shutdown)() = nullptr;
    const char* (*error_text)(Result) = nullptr;
    Result (*find_device)(const char*, Device*) = nullptr;
    // Figures; one that an old driver lacks is null.
    Result (*power)(Device, unsigned*) = nullptr;            ///< mW
    Result (*clock)(Device, int, unsigned*) = nullptr;       ///< MHz
    Result (*temperature)(Device, int, unsigned*) = nullptr; ///< degrees Celsius
    Result (*energy)(Device, unsigned long long*) = nullptr; ///< mJ since the driver was loaded

    Library() = default;
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
    ~Library() {
        if (started) {
            shutdown();
        }
        if (handle != nullptr) {
            dlclose(handle);
        }
    }

    template<class Function>
    bool find(Function& function, const char* name) {
        function = reinterpret_cast<Function>(dlsym(handle, name));
        return function != nullptr;
    }

    std::string text(Result result) const {
        const char* const words = error_text(result);
        return words != nullptr ? words : fmt::format("error {}", result);
    }
};

Expected<std::unique_ptr<const Nvml>> Nvml::open(const std::string& pci_bus_id, const std::string& library) {
    auto nvml = std::make_unique<Library>();
    nvml->handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (nvml->handle == nullptr) {
        return make_error(ErrorCode::unsupported,
                          fmt::format("NVML is not on this machine ({}).", dlerror()));
    }
    if (!nvml->find(nvml->init, "nvmlInit_v2") || !nvml->find(nvml->shutdown, "nvmlShutdown") ||
        !nvml->find(nvml->error_text, "nvmlErrorString") ||
        !nvml->find(nvml->find_device, "nvmlDeviceGetHandleByPciBusId_v2")) {
        return make_error(ErrorCode::unsupported,
                          fmt::format("{} lacks a function of NVML ({}).", library, dlerror()));
    }
    nvml->find(nvml->power, "nvmlDeviceGetPowerUsage");
    nvml->find(nvml->clock, "nvmlDeviceGetClockInfo");
    nvml->find(nvml->temperature, "nvmlDeviceGetTemperature");
    nvml->find(nvml->energy, "nvmlDeviceGetTotalEnergyConsumption");
    if (const Result result = nvml->init(); result != success) {
        return make_error(ErrorCode::unsupported,
                          fmt::format("NVML does not start: {}.", nvml->text(result)));
    }
    nvml->started = true;
    Device device = nullptr;
    if (const Result result = nvml->find_device(pci_bus_id.c_str(), &device); result != success) {
        return make_error(ErrorCode::unsupported, fmt::format("NVML does not know the device {}: {}.",
                                                              pci_bus_id, nvml->text(result)));
    }
    return std::unique_ptr<const Nvml>(new Nvml(std::move(nvml), device));
}

Nvml::Nvml(std::unique_ptr<Library> library, void* device) : library_(std::move(library)), device_(device) {}

Nvml::~Nvml() = default;

DeviceReading Nvml::read() const {
    const Library& nvml = *library_;
    return {.power_w = figure<unsigned>(nvml.power, 1e-3, device_),
            .sm_clock_mhz = figure<unsigned>(nvml.clock, 1.0, device_, clock_sm),
            .memory_clock_mhz = figure<unsigned>(nvml.clock, 1.0, device_, clock_memory),
            .temperature_c = figure<unsigned>(nvml.temperature, 1.0, device_, sensor_gpu),
            .energy_j = figure<unsigned long long>(nvml.energy, 1e-3, device_)};
}

} // namespace quantscope::telemetry
