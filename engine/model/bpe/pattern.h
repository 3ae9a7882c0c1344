// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <string>
#include <string_view>

namespace quantscope::bpe {

/// Rewrites a pattern of the `tokenizers` library, whose regular expressions are Oniguruma's in Ruby syntax,
/// as one of PCRE2 (PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE) that matches the same text. The two read some
/// spellings differently: \s (PCRE2's has U+180E), \w, \h, \v, `{1,2}+`, a '[' inside a class.
/// @return the pattern, or what is not known here ("the escape \\h"): bad_input
Expected<std::string> to_pcre2(std::string_view pattern);

} // namespace quantscope::bpe
