// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/tokenizer.h"
#include "engine/model/tokenizer_settings.h"

#include <nlohmann/json.hpp>

namespace quantscope {

/// The maker for tokenizer.json, the format of Hugging Face's `tokenizers` library (BPE only): the ids are
/// that library's. Tokens that the file adds ("<|im_start|>") are found where a text spells them out. What is
/// in the file and not known here is refused by name. Truncation and padding are not applied.
///
/// Where tokenizer_config.json names LlamaTokenizer and the vocabulary is SentencePiece's, every section of
/// text gets the '▁' in front that SentencePiece puts there, whatever the file's Metaspace says.
/// Errors: io, bad_input, unsupported, each with file and place.
Expected<std::shared_ptr<const Tokenizer>> open_tokenizer_json(const std::filesystem::path& path);

/// As open_tokenizer_json(), of a document that is already read.
/// @param path  what the document came from, for messages
Expected<std::shared_ptr<const Tokenizer>> make_bpe_tokenizer(const nlohmann::json& document,
                                                              const std::filesystem::path& path,
                                                              const TokenizerSettings& settings);

} // namespace quantscope
