// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/tokenizer.h"

namespace quantscope {

/// The maker for tokenizer.model (libsentencepiece), read as the settings beside it say (TokenizerSettings).
/// Control symbols spelled out in a text ("<s>") are plain text unless those list them as added tokens.
/// Errors: io, bad_input (empty, corrupt, settings that are no valid JSON).
Expected<std::shared_ptr<Tokenizer>> open_sentencepiece(const std::filesystem::path& path);

} // namespace quantscope
