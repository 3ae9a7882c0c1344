// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

/// Device memory that this process's DeviceBuffers hold, in bytes. Thread-safe.
namespace quantscope::kernels::device_memory {

inline std::atomic<std::int64_t> held_bytes{0};
inline std::atomic<std::int64_t> peak_bytes{0}; ///< most of held_bytes since the start or restart_peak()

inline void add(std::int64_t bytes) {
    const std::int64_t held = held_bytes.fetch_add(bytes) + bytes;
    std::int64_t peak = peak_bytes.load();
    while (held > peak && !peak_bytes.compare_exchange_weak(peak, held)) {
    }
}

inline void restart_peak() {
    peak_bytes = held_bytes.load();
}

} // namespace quantscope::kernels::device_memory
