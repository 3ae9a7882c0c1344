// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <filesystem>
#include <string>

namespace quantscope::worker {

/// The folder that holds demo/: $QUANTSCOPE_RESOURCES, else <folder of the executable>/../share/quantscope,
/// else the resources/ of the source tree this was built from; the first that exists.
std::filesystem::path resource_folder();

/// "demo" becomes the shipped model folder or problem file, anything else is a path as it is.
/// Errors: io, when the shipped one is not there.
Expected<std::filesystem::path> resolve_model(const std::string& model);
Expected<std::filesystem::path> resolve_problems(const std::string& problems);

} // namespace quantscope::worker
