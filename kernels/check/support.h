// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device_buffer.h"
#include "kernels/check/check.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace quantscope::kernels {

template<class T>
Status upload(const std::vector<T>& host, DeviceBuffer<T>& device) {
    QS_TRY(device.allocate(host.size()));
    QS_CUDA_TRY(cudaMemcpy(device.data(), host.data(), device.bytes(), cudaMemcpyHostToDevice),
                "copying inputs");
    return {};
}

/// Room for `count` elements whose bytes are all 0xFF: NaN, or -1.
template<class T>
Status poisoned(std::size_t count, DeviceBuffer<T>& device) {
    QS_TRY(device.allocate(count));
    QS_CUDA_TRY(cudaMemset(device.data(), 0xFF, device.bytes()), "poisoning outputs");
    return {};
}

/// Waits for the kernels before it; `doing` names them.
template<class T>
Status download(const DeviceBuffer<T>& device, std::vector<T>& host, const char* doing) {
    host.resize(device.size());
    QS_CUDA_TRY(cudaMemcpy(host.data(), device.data(), device.bytes(), cudaMemcpyDeviceToHost), doing);
    return {};
}

inline std::vector<float> normal_values(std::size_t count, std::mt19937& random, float spread = 1.0F) {
    std::normal_distribution<float> normal(0.0F, spread);
    std::vector<float> values(count);
    for (float& value : values)
        value = normal(random);
    return values;
}

/// A small figure for a detail: "3.1e-07".
inline std::string figure(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1e", value);
    return text;
}

/// |out - expected| / |expected| over all elements; NaN where an output is NaN.
inline double relative_error(const std::vector<float>& out, const std::vector<double>& expected) {
    double error = 0.0;
    double norm = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        error += (out[i] - expected[i]) * (out[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return std::sqrt(error / norm);
}

/// Sets passed and detail from a comparison element by element.
template<class T>
void expect_equal(const std::vector<T>& out, const std::vector<T>& expected, const char* what,
                  CheckResult& result) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (!(out[i] == expected[i])) {
            result.passed = false;
            result.detail = std::string(what) + " " + std::to_string(i) + " is " + std::to_string(out[i]) +
                            ", expected " + std::to_string(expected[i]);
            return;
        }
    }
}

/// The checks that are asked for, and what came of them.
struct CheckList {
    std::string only; ///< text of the names that are asked for
    std::vector<CheckResult> results;
};

/// Runs one check and keeps its result; a status that is not ok is a failure.
inline void run_check(CheckList& list, std::string name, const std::function<Status(CheckResult&)>& body) {
    if (name.find(list.only) == std::string::npos)
        return;
    CheckResult result{std::move(name), true, "bit for bit"};
    if (const Status status = body(result); !status.ok())
        result = {result.name, false, status.message};
    list.results.push_back(std::move(result));
}

void check_gemm(std::mt19937& random, CheckList& results);
void check_wgmma(std::mt19937& random, CheckList& results);
void check_rows(std::mt19937& random, CheckList& results);
void check_bias(std::mt19937& random, CheckList& results);
void check_attention(std::mt19937& random, CheckList& results);
void check_tokens(std::mt19937& random, CheckList& results);
void check_load(std::mt19937& random, CheckList& results);
void check_step(std::mt19937& random, CheckList& results);

} // namespace quantscope::kernels
