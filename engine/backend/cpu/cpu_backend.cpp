// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

#include "engine/backend/cpu/cpu_session.h"
#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/create_check.h"
#include "engine/backend/kv_range.h"

#include <fmt/format.h>
#include <fstream>
#include <new>
#include <string>

namespace quantscope::cpu {
namespace {

/// A "key   : value" line of a /proc file, or an empty string.
std::string proc_value(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with(key)) {
            continue;
        }
        const auto colon = line.find(':');
        const auto start = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
        return start == std::string::npos ? std::string() : line.substr(start);
    }
    return {};
}

std::int64_t meminfo_bytes(const std::string& key) {
    return std::strtoll(proc_value("/proc/meminfo", key).c_str(), nullptr, 10) * 1024;
}

Expected<> check_memory(const Checkpoint& checkpoint, const Scheme& scheme, int slots, int context) {
    const ModelConfig& c = checkpoint.config();
    const std::int64_t kv =
        KvCache::bytes_a_token(c, KvCache::storage_of(scheme)) * std::int64_t{slots} * context;
    const std::int64_t needed = estimate_weight_bytes(checkpoint, scheme) + kv;
    const std::int64_t available = meminfo_bytes("MemAvailable");
    if (available > 0 && needed > available) {
        return make_error(
            ErrorCode::out_of_memory,
            fmt::format("Model {} under {} with {} slots of {} tokens needs {:.1f} GB of memory, and {:.1f} "
                        "GB are free.",
                        c.name, scheme.id, slots, context, static_cast<double>(needed) * 1e-9,
                        static_cast<double>(available) * 1e-9),
            "Use a smaller batch, a shorter context or a scheme with fewer bits.");
    }
    return {};
}

} // namespace

DeviceInfo CpuBackend::device() const {
    const std::string name = proc_value("/proc/cpuinfo", "model name");
    return {.id = "cpu",
            .backend = "cpu",
            .name = name.empty() ? "CPU" : name,
            .memory_bytes = meminfo_bytes("MemTotal"),
            .detail = fmt::format("{}, {} threads; fp16 is computed in f32", kernels().name, thread_count()),
            .pci_bus_id = {}};
}

std::int64_t CpuBackend::free_bytes() const {
    return meminfo_bytes("MemAvailable");
}

bool CpuBackend::supports(const Scheme& scheme) const {
    return runs_here(scheme);
}

Expected<std::unique_ptr<Session>> CpuBackend::create(const Checkpoint& checkpoint, const Scheme& scheme,
                                                      const SessionLimits& limits) {
    const ModelConfig& config = checkpoint.config();
    if (auto ok = check_create("CPU", config, scheme, limits); !ok) {
        return tl::unexpected(ok.error());
    }
    const int context = context_of(config, limits);
    if (auto ok = check_memory(checkpoint, scheme, limits.max_slots, context); !ok) {
        return tl::unexpected(ok.error());
    }
    if (KvCache::storage_of(scheme) == KvCache::Storage::f16) {
        if (auto ok = check_halves_hold_kv(checkpoint, scheme); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    try {
        auto weights = load_weights(checkpoint, scheme);
        if (!weights) {
            return tl::unexpected(weights.error());
        }
        return std::make_unique<CpuSession>(config, scheme, std::move(*weights), limits.max_slots, context);
    } catch (const std::bad_alloc&) {
        return make_error(
            ErrorCode::out_of_memory,
            fmt::format("The memory ran out while model {} was loaded under {}.", config.name, scheme.id),
            "Use a smaller batch, a shorter context or a scheme with fewer bits.");
    }
}

} // namespace quantscope::cpu
