// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/tokenizer.h"

#include <string>

namespace quantscope {

/// How two tokenizers of one folder differ, tried on a few texts and on every id: the end of a sentence ("3
/// ids stand for other text"), or "" where no difference was found.
std::string difference_of(const Tokenizer& used, const Tokenizer& other);

} // namespace quantscope
