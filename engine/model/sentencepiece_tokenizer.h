// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/tokenizer.h"

namespace quantscope {

/// The maker for tokenizer.model (libsentencepiece). Control symbols spelled out in a text ("<s>") are plain
/// text. Errors: io, bad_input (empty, corrupt).
Expected<std::shared_ptr<const Tokenizer>> open_sentencepiece(const std::filesystem::path& path);

} // namespace quantscope
