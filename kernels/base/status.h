// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>

/// The CUDA side of Quantscope: kernels and what they need. Depends on the CUDA Toolkit
/// only.
namespace quantscope::kernels {

/// The outcome of a CUDA call, as a value.
struct [[nodiscard]] Status {
    enum class Kind { ok, out_of_memory, no_device, unsupported, failed };
    Kind kind = Kind::ok;
    std::string message;           ///< a sentence: what was tried and what CUDA answered
    std::int64_t bytes_needed = 0; ///< out_of_memory
    std::int64_t bytes_free = 0;   ///< out_of_memory

    bool ok() const { return kind == Kind::ok; }
};

/// Turns a cudaError_t (passed as int, so that plain C++ may include this) into a Status.
/// @param doing  what was tried: "copying 12 bytes to the device"
Status cuda_status(int error, const std::string& doing);

} // namespace quantscope::kernels

/// Returns from the enclosing function with the Status when `call` did not succeed.
#define QS_CUDA_TRY(call, doing)                                                                             \
    do {                                                                                                     \
        const auto qs_error = (call);                                                                        \
        if (qs_error != cudaSuccess)                                                                         \
            return ::quantscope::kernels::cuda_status(static_cast<int>(qs_error), (doing));                  \
    } while (false)

/// Returns from the enclosing function with `status` when it is not ok.
#define QS_TRY(status)                                                                                       \
    do {                                                                                                     \
        if (auto qs_status = (status); !qs_status.ok())                                                      \
            return qs_status;                                                                                \
    } while (false)
