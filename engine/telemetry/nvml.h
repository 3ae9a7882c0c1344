// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/telemetry/device_reading.h"

#include <memory>
#include <string>

namespace quantscope::telemetry {

/// One NVIDIA GPU seen through NVML, which the driver brings. The library is loaded at run time: a machine
/// without it has no telemetry, and nothing else changes.
class Nvml {
  public:
    /// @param pci_bus_id  "0000:1B:00.0", as CUDA names the device
    /// Errors: unsupported (no such library, a function is missing in it, NVML does not start or does not
    /// know the device); the message says which.
    static Expected<std::unique_ptr<const Nvml>> open(const std::string& pci_bus_id,
                                                      const std::string& library = "libnvidia-ml.so.1");
    ~Nvml();
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;

    /// Thread-safe. A figure whose call fails is absent.
    [[nodiscard]] DeviceReading read() const;

  private:
    struct Library;
    Nvml(std::unique_ptr<Library> library, void* device);

    std::unique_ptr<Library> library_;
    void* device_; ///< nvmlDevice_t
};

} // namespace quantscope::telemetry
