// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "storage/error.h"

namespace quantscope::campaign {

/// A storage error as the app's own; its code decides the exit code.
Error appError(const storage::Error& error);

/// "sentence Hint." as one line for a terminal or a run's row.
QString errorText(const Error& error);

/// storage's Expected as the app's, so that the two chain.
template<class T>
Expected<T> appExpected(storage::Expected<T> value) {
    return std::move(value).map_error([](const storage::Error& error) { return appError(error); });
}

} // namespace quantscope::campaign
