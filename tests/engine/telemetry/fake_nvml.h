// SPDX-License-Identifier: Apache-2.0
#pragma once

/// What the fake NVML answers; a test changes it through the symbol `fake_nvml`.
struct FakeNvml {
    int init_result = 0; ///< NVML's codes: 0 is success
    int power_result = 0;
    int energy_result = 0; ///< 3: not supported
    unsigned power_mw = 250'000;
    unsigned sm_mhz = 1'980;
    unsigned memory_mhz = 3'201;
    unsigned celsius = 41;
    unsigned long long energy_mj = 7'000'000;
    unsigned long long energy_step_mj = 0; ///< added by each reading
    int running = 0;                       ///< nvmlInit_v2 less nvmlShutdown
};
