// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/telemetry/fake_nvml.h"

#include <cstring>

// NVML's functions with the signatures of nvml.h; the one device is 0000:1B:00.0.
extern "C" {

FakeNvml fake_nvml;

int nvmlInit_v2() {
    fake_nvml.running += fake_nvml.init_result == 0 ? 1 : 0;
    return fake_nvml.init_result;
}

int nvmlShutdown() {
    --fake_nvml.running;
    return 0;
}

const char* nvmlErrorString(int result) {
    return result == 9 ? "Driver Not Loaded" : result == 6 ? "Not Found" : "Not Supported";
}

int nvmlDeviceGetHandleByPciBusId_v2(const char* bus, void** device) {
    if (std::strcmp(bus, "0000:1B:00.0") != 0) {
        return 6;
    }
    *device = &fake_nvml;
    return 0;
}

int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
    *milliwatts = static_cast<FakeNvml*>(device)->power_mw;
    return fake_nvml.power_result;
}

int nvmlDeviceGetClockInfo(void* device, int type, unsigned* mhz) {
    const auto* const fake = static_cast<FakeNvml*>(device);
    *mhz = type == 1 ? fake->sm_mhz : fake->memory_mhz;
    return type == 1 || type == 2 ? 0 : 2;
}

int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius) {
    *celsius = static_cast<FakeNvml*>(device)->celsius;
    return sensor == 0 ? 0 : 2;
}

int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
    auto* const fake = static_cast<FakeNvml*>(device);
    fake->energy_mj += fake->energy_step_mj;
    *millijoules = fake->energy_mj;
    return fake->energy_result;
}
}
