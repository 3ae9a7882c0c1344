// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/status_error.h"

#include <fmt/format.h>

namespace quantscope::cuda {

tl::unexpected<Error> to_error(const kernels::Status& status, const std::string& doing) {
    using Kind = kernels::Status::Kind;
    switch (status.kind) {
    case Kind::out_of_memory:
        return make_error(
            ErrorCode::out_of_memory,
            fmt::format("{} needs {} bytes of device memory in one piece, and {} bytes are free.", doing,
                        status.bytes_needed, status.bytes_free),
            "Use a smaller batch, a shorter context or a scheme with fewer bits.");
    case Kind::no_device:
    case Kind::unsupported:
        return make_error(ErrorCode::unsupported, fmt::format("{}: {}.", doing, status.message),
                          "Use --backend cpu.");
    case Kind::ok:
    case Kind::failed: break;
    }
    return make_error(
        ErrorCode::device, fmt::format("{}: {}.", doing, status.message),
        "The device may need a new process; if it happens again, look at the driver's log (dmesg).");
}

} // namespace quantscope::cuda
