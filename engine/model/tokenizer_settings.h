// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace quantscope {

/// A token that a model's authors added beside the tokenizer's own pieces, or a piece that they marked.
struct AddedToken {
    int id = 0;
    std::string content;
    bool special = false;     ///< gives no text
    bool lstrip = false;      ///< takes the spaces before it with it
    bool rstrip = false;      ///< takes the spaces after it with it
    bool single_word = false; ///< is none inside a word
};

/// What the files beside a tokenizer say about it: tokenizer_config.json, added_tokens.json and
/// special_tokens_map.json, as transformers writes them. What no file says is left empty.
struct TokenizerSettings {
    std::vector<AddedToken> added_tokens; ///< ids ascend, each once
    std::string tokenizer_class;          ///< "LlamaTokenizer"
    std::optional<bool> add_bos_token;
    std::optional<bool> add_eos_token;
    std::optional<bool> add_prefix_space;
    bool legacy = false; ///< text after an added token gets a prefix space, too
    /// The token's text; an empty one where the file says null: none.
    std::optional<std::string> bos_token;
    std::optional<std::string> eos_token;

    const AddedToken* find(int id) const;
    const AddedToken* find(const std::string& content) const;
};

/// The text of a folder's files that these settings come from, for the model's hash; "" for what is not
/// there. Errors: io, bad_input (far too large).
Expected<std::string> read_tokenizer_settings_text(const std::filesystem::path& folder);

/// Errors: io, bad_input; each names file, key, expected and found.
Expected<TokenizerSettings> read_tokenizer_settings(const std::filesystem::path& folder);

} // namespace quantscope
