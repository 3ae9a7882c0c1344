// SPDX-License-Identifier: Apache-2.0
#include "engine/base/error.h"

namespace quantscope {

const char* to_string(ErrorCode code) {
    switch (code) {
    case ErrorCode::bad_input: return "bad_input";
    case ErrorCode::io: return "io";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::out_of_memory: return "oom";
    case ErrorCode::device: return "device";
    case ErrorCode::sandbox_unavailable: return "sandbox_unavailable";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::internal: return "internal";
    }
    return "internal";
}

int exit_code(ErrorCode code) {
    switch (code) {
    case ErrorCode::bad_input:
    case ErrorCode::unsupported: return 3;
    case ErrorCode::cancelled: return 4;
    case ErrorCode::sandbox_unavailable: return 5;
    default: return 1;
    }
}

} // namespace quantscope
