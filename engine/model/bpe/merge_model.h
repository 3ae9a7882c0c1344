// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/fields.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quantscope::bpe {

/// The ids of pieces that were met before, for one text at a time.
class WordCache {
  public:
    const std::vector<std::int32_t>* find(const std::string& word) const;
    void add(const std::string& word, std::vector<std::int32_t> ids);

  private:
    std::unordered_map<std::string, std::vector<std::int32_t>> words_;
};

/// What two neighbours become.
struct Merge {
    std::int32_t rank = 0; ///< the lowest is merged first
    std::int32_t id = 0;   ///< of the token that the two become
};

/// Merges by their pair of ids: hundreds of thousands, so in one piece of memory, with open addressing.
class MergeTable {
  public:
    void reserve(std::size_t count);
    /// Replaces what was there for the pair.
    void set(std::int32_t left, std::int32_t right, Merge merge);
    const Merge* find(std::int32_t left, std::int32_t right) const; ///< null: they are not merged

    template<class Visit>
    void for_each(const Visit& visit) const {
        for (const Slot& slot : slots_) {
            if (slot.left >= 0) {
                visit(slot.merge);
            }
        }
    }

  private:
    struct Slot {
        std::int32_t left = -1; ///< -1: empty
        std::int32_t right = -1;
        Merge merge;
    };
    /// The pair's slot, or the empty one where it would go.
    std::size_t slot_of(std::int32_t left, std::int32_t right) const;

    std::vector<Slot> slots_; ///< a power of two, at most half full
    std::size_t used_ = 0;
};

/// Byte-pair encoding: a vocabulary, and the pairs of tokens that are merged, the earliest in the list first.
class MergeModel {
  public:
    /// The "model" of a tokenizer.json. Errors: bad_input, unsupported, each with its place.
    static Expected<MergeModel> parse(const Fields& fields);

    /// Appends the ids of a piece (valid UTF-8), which costs n log n of its length.
    void append(const std::string& piece, WordCache& cache, std::vector<std::int32_t>& ids) const;

    std::int32_t id_of(std::string_view token) const; ///< -1: none
    /// The token's spelling; empty where there is none of that id.
    std::string_view token(std::int32_t id) const;
    std::int32_t id_end() const { return static_cast<std::int32_t>(tokens_.size()); } ///< past the largest id
    std::size_t token_count() const { return ids_.size(); }
    std::int32_t unk_id() const { return unk_id_; } ///< -1: none
    bool byte_fallback() const { return byte_fallback_; }

    MergeModel(MergeModel&&) = default;
    MergeModel& operator=(MergeModel&&) = default;

  private:
    MergeModel() = default;

    struct Symbol;

    Expected<> read_vocabulary(const Fields& fields);
    Expected<> read_merges(const Fields& fields);
    Expected<> read_options(const Fields& fields);
    Expected<> add_merge(const Fields& fields, std::size_t index, std::string_view left,
                         std::string_view right);
    void append_word(std::string_view word, std::vector<std::int32_t>& ids) const;
    std::vector<Symbol> symbols_of(std::string_view word) const;
    bool append_bytes(std::string_view character, std::vector<Symbol>& symbols) const;
    void find_word_starts();

    std::vector<std::string> tokens_;                        ///< by id
    std::unordered_map<std::string_view, std::int32_t> ids_; ///< views of tokens_
    MergeTable merges_;
    std::array<std::int32_t, 256> byte_ids_{}; ///< of "<0x00>" ...; -1: none
    std::int32_t unk_id_ = -1;
    bool fuse_unk_ = false;
    bool byte_fallback_ = false;
    bool ignore_merges_ = false;
    bool words_start_at_metaspace_ = false; ///< no token holds a '▁' behind another character
};

} // namespace quantscope::bpe
