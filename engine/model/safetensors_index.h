// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <filesystem>
#include <map>
#include <string>

namespace quantscope {

/// Which file of a sharded checkpoint holds which tensor: tensor name -> file name in the same folder.
using SafetensorsIndex = std::map<std::string, std::string, std::less<>>;

/// Reads a model.safetensors.index.json. File names that could lead out of the folder are refused.
/// Errors: io, bad_input.
Expected<SafetensorsIndex> read_safetensors_index(const std::filesystem::path& path);

} // namespace quantscope
