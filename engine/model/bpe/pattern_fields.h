// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/fields.h"
#include "engine/model/bpe/regex.h"

namespace quantscope::bpe {

/// The member "pattern" of a component: {"String": "..."} or {"Regex": "..."}. Errors: bad_input,
/// unsupported, with the place.
Expected<Regex> parse_pattern(const Fields& fields);

} // namespace quantscope::bpe
