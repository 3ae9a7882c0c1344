// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quantscope {

/// libsentencepiece follows a model's tables of normalization (precompiled_charsmap) without looking whether
/// they lead out of the file's bytes. This does, for every text that could be normalized.
/// @param model  a serialized sentencepiece.ModelProto; bytes that are none are the library's to refuse
/// @return what is wrong, as the end of a sentence; nothing where the tables are sound
std::optional<std::string> charsmap_fault(std::string_view model);

} // namespace quantscope
