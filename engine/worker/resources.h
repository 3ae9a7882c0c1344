// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <filesystem>
#include <string>

namespace quantscope::worker {

/// The folder that holds demo/: $QUANTSCOPE_RESOURCES, else <folder of the executable>/../share/quantscope,
/// which the build tree has, too. No path of the source tree is compiled in.
std::filesystem::path resource_folder();

/// "demo" becomes the shipped model folder or problem file, anything else is a path as it is.
/// Errors: io, when the shipped one is not there.
Expected<std::filesystem::path> resolve_model(const std::string& model);
Expected<std::filesystem::path> resolve_problems(const std::string& problems);

} // namespace quantscope::worker
