// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/fields.h"

#include <cstdint>
#include <vector>

namespace quantscope::bpe {

/// The ids that a tokenizer.json puts around a text.
struct Frame {
    std::vector<std::int32_t> before; ///< BOS
    std::vector<std::int32_t> behind; ///< EOS; a prompt that is to be continued goes without
};

/// The "post_processor" of a tokenizer.json: Sequence, TemplateProcessing, ByteLevel (which changes no ids).
/// @param id_end  ids of special tokens lie below it
/// Errors: bad_input, unsupported, each with its place.
Expected<Frame> parse_post_processor(const Fields& fields, std::int32_t id_end);

} // namespace quantscope::bpe
