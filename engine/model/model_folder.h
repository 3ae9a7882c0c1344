// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <filesystem>
#include <string>

namespace quantscope {

/// The folder that holds a model's files: the one given, or, where that is a repository of the Hugging Face
/// cache (models--ORG--NAME), the snapshot that its refs/main names. Errors: bad_input (which snapshot is not
/// known).
Expected<std::filesystem::path> model_folder(const std::filesystem::path& given);

/// What a model is called: its folder, or "ORG/NAME" where that is a snapshot in the Hugging Face cache.
std::string model_name(const std::filesystem::path& folder);

} // namespace quantscope
