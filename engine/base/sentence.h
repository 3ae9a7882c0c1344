// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <string>

namespace quantscope {

/// Message and hint as one text for a person, with a stop between them.
[[nodiscard]] std::string sentence(const Error& error);

} // namespace quantscope
