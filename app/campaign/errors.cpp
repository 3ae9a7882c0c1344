// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/errors.h"

#include "engine/base/sentence.h"

namespace quantscope::campaign {
namespace {

ErrorCode codeOf(storage::ErrorKind kind) {
    switch (kind) {
    case storage::ErrorKind::BadInput:
    case storage::ErrorKind::NotFound:
    case storage::ErrorKind::NotADatabase:
    case storage::ErrorKind::Newer:
    case storage::ErrorKind::Older:
    case storage::ErrorKind::Corrupt: return ErrorCode::bad_input;
    case storage::ErrorKind::Locked:
    case storage::ErrorKind::ReadOnly:
    case storage::ErrorKind::DiskFull:
    case storage::ErrorKind::Io: return ErrorCode::io;
    case storage::ErrorKind::Conflict:
    case storage::ErrorKind::Stopped:
    case storage::ErrorKind::Internal: return ErrorCode::internal;
    }
    return ErrorCode::internal;
}

} // namespace

Error appError(const storage::Error& error) {
    return {codeOf(error.kind), error.message.toStdString(), error.hint.toStdString()};
}

QString errorText(const Error& error) {
    return QString::fromStdString(sentence(error));
}

} // namespace quantscope::campaign
