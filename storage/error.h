// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QString>
#include <tl/expected.hpp>
#include <utility>

namespace quantscope::storage {

/// What kind of thing went wrong. The app maps BadInput, Newer, Corrupt and NotADatabase to exit code 3.
enum class ErrorKind {
    BadInput,     ///< a value, a line or a file that is not what it claims to be
    NotFound,     ///< no such file, campaign or run
    NotADatabase, ///< not an SQLite file, or another program's
    Newer,        ///< written by a newer Quantscope
    Older,        ///< needs a migration, and was opened for reading only
    Corrupt,      ///< an SQLite file that is damaged
    Locked,       ///< another program held the file longer than the busy timeout
    ReadOnly,     ///< file or folder may not be written
    DiskFull,     ///< no space left; all that was committed is kept
    Conflict,     ///< the same key is stored already with other content
    Io,           ///< the operating system refused otherwise
    Stopped,      ///< the storage thread had been stopped before
    Internal,     ///< a defect of ours
};

/// An error as a value, worded for a person.
struct Error {
    ErrorKind kind = ErrorKind::Internal;
    QString message; ///< one sentence: what, where, expected, found
    QString hint;    ///< what to do about it; may be empty
};

template<class T = void>
using Expected = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> makeError(ErrorKind kind, QString message, QString hint = {}) {
    return tl::unexpected<Error>(Error{kind, std::move(message), std::move(hint)});
}

} // namespace quantscope::storage
