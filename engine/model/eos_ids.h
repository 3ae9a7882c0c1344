// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/json/json_fields.h"

#include <vector>

namespace quantscope {

/// "eos_token_id" of a config.json or generation_config.json: an id or a list of them. Empty where it is
/// missing, null or -1. What is none of these is an error of `fields`.
std::vector<int> read_eos_ids(const nlohmann::json& document, JsonFields& fields, int last_id);

} // namespace quantscope
