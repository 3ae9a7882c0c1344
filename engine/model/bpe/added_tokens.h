// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/fields.h"
#include "engine/model/bpe/merge_model.h"
#include "engine/model/bpe/normalizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quantscope::bpe {

/// A token that is found in a text as it is, before anything is split or merged.
struct AddedToken {
    std::string content;
    std::int32_t id = 0;
    bool special = false;     ///< gives no text when it is decoded
    bool single_word = false; ///< only where no letter or digit is beside it
    bool lstrip = false;      ///< takes the white space before it
    bool rstrip = false;      ///< takes the white space behind it
    bool normalized = false;  ///< is looked for in the normalized text
};

/// Finds the longest of many words that begins at a place.
class WordTrie {
  public:
    void add(std::string_view word, std::size_t value);
    struct Found {
        std::size_t length = 0; ///< 0: none
        std::size_t value = 0;
    };
    Found longest(std::string_view text) const;

  private:
    std::unordered_map<std::uint64_t, std::uint32_t> edges_; ///< of node and byte
    std::vector<std::size_t> values_ = {0}; ///< of each node: value + 1; 0: no word ends there
};

/// A part of a text: an added token, or what lies between.
struct Section {
    std::int32_t id = -1; ///< -1: text
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// The "added_tokens" of a tokenizer.json.
class AddedTokens {
  public:
    /// Errors: bad_input, unsupported, each with its place. An id that is not the one the tokenizers library
    /// would give (that of the vocabulary, else the next free one) is bad_input.
    static Expected<AddedTokens> parse(const Fields& document, const MergeModel& model,
                                       const Normalizer& normalizer);

    /// Splits a text, valid UTF-8, at the tokens that are looked for before (`normalized` false) or after
    /// normalizing.
    std::vector<Section> split(std::string_view text, bool normalized) const;

    const AddedToken* find(std::int32_t id) const;      ///< null: no added token
    std::int32_t id_of(std::string_view content) const; ///< -1: none
    std::int32_t id_end() const { return id_end_; }

  private:
    std::vector<AddedToken> tokens_;
    std::unordered_map<std::int32_t, std::size_t> by_id_;
    WordTrie as_written_;
    WordTrie normalized_;
    std::int32_t id_end_ = 0;
};

} // namespace quantscope::bpe
