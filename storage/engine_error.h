// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "storage/error.h"

namespace quantscope::storage {

/// An error of the engine's file and JSON readers as one of storage's.
[[nodiscard]] inline Error storageError(const quantscope::Error& error) {
    return {error.code == ErrorCode::io ? ErrorKind::Io : ErrorKind::BadInput,
            QString::fromStdString(error.message), QString::fromStdString(error.hint)};
}

} // namespace quantscope::storage
