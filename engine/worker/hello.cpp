// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/hello.h"

#include "engine/worker/version.h"

#include <fstream>
#include <map>
#include <sys/utsname.h>

namespace quantscope::worker {
namespace {

/// The value behind the first line of `file` that starts with `key`, without separators and quotes.
std::string value_of(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.rfind(key, 0) == 0) {
            const std::size_t from = line.find_first_not_of(" \t:=\"", key.size());
            const std::size_t to = line.find_last_not_of(" \t\"");
            return from == std::string::npos ? std::string() : line.substr(from, to - from + 1);
        }
    }
    return {};
}

protocol::Host describe_host() {
    protocol::Host host;
    host.os = value_of("/etc/os-release", "PRETTY_NAME");
    utsname names{};
    if (uname(&names) == 0) {
        host.os += (host.os.empty() ? "" : ", ") + std::string(names.sysname) + " " + names.release;
    }
    host.cpu = value_of("/proc/cpuinfo", "model name");
    return host;
}

int bits(Precision precision) {
    switch (precision) {
    case Precision::fp16: return 16;
    case Precision::int8: return 8;
    case Precision::int4: return 4;
    }
    return 16;
}

} // namespace

protocol::Device to_protocol(const DeviceInfo& device) {
    return {device.id, device.backend, device.name, device.memory_bytes, device.detail};
}

protocol::HelloEvent make_hello() {
    protocol::HelloEvent hello;
    hello.version = engine_version();
    hello.git = git_revision();
    hello.host = describe_host();
    std::map<std::string, std::unique_ptr<Backend>> backends; ///< those that a device answers for
    for (const DeviceInfo& device : list_devices()) {
        hello.devices.push_back(to_protocol(device));
        if (!backends.contains(device.backend)) {
            if (auto backend = make_backend(device.backend)) {
                backends.emplace(device.backend, *std::move(backend));
            }
        }
    }
    for (const Scheme& scheme : all_schemes()) {
        protocol::SchemeInfo info{std::string(scheme.id),
                                  std::string(scheme.label),
                                  std::string(scheme.summary),
                                  bits(scheme.weights),
                                  bits(scheme.activations),
                                  bits(scheme.kv_cache),
                                  {}};
        for (const auto& [name, backend] : backends) {
            if (backend->supports(scheme)) {
                info.backends.push_back(name);
            }
        }
        hello.schemes.push_back(std::move(info));
    }
    return hello;
}

} // namespace quantscope::worker
