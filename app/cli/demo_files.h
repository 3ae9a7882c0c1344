// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"

#include <QString>

namespace quantscope::cli {

/// A problem file as a path: "demo" is the shipped one, found as the worker finds it ($QUANTSCOPE_RESOURCES,
/// else
/// ../share/quantscope, else the source tree). Errors: bad_input, when it is not there.
Expected<QString> problemFile(const QString& nameOrPath);

/// The same check for a model folder; "demo" is left to the worker.
Expected<> checkModelFolder(const QString& nameOrPath);

/// The file given with --python as an absolute path, links kept: a virtual environment's python is one.
Expected<QString> interpreterFile(const QString& path);

} // namespace quantscope::cli
