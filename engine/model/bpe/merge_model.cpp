// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/merge_model.h"

#include "engine/model/bpe/unicode.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <utility>

namespace quantscope::bpe {

namespace {

constexpr std::size_t max_cached_words = 65536;
constexpr std::size_t max_cached_bytes = 128; ///< a longer piece hardly comes twice
constexpr std::string_view metaspace = "\xE2\x96\x81";

/// A pair of neighbours that could be merged.
struct Candidate {
    std::int32_t rank;
    std::int32_t position; ///< of the left one
    std::int32_t id;       ///< of the token that they become

    /// For a queue that gives the lowest rank first, of equal ones the leftmost.
    bool operator<(const Candidate& other) const {
        return rank != other.rank ? rank > other.rank : position > other.position;
    }
};

} // namespace

/// A token of a word that is being merged, in a list of neighbours.
struct MergeModel::Symbol {
    std::int32_t id;
    std::int32_t before; ///< -1: none
    std::int32_t after;  ///< -1: none
    bool merged_away;
};

const std::vector<std::int32_t>* WordCache::find(const std::string& word) const {
    const auto found = words_.find(word);
    return found == words_.end() ? nullptr : &found->second;
}

void WordCache::add(const std::string& word, std::vector<std::int32_t> ids) {
    if (words_.size() < max_cached_words && word.size() <= max_cached_bytes) {
        words_.emplace(word, std::move(ids));
    }
}

std::size_t MergeTable::slot_of(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) |
                              static_cast<std::uint32_t>(right);
    // Fibonacci hashing: the upper half of the product depends on every bit.
    std::size_t slot = (key * 0x9E3779B97F4A7C15U >> 32U) & (slots_.size() - 1);
    while (slots_[slot].left >= 0 && (slots_[slot].left != left || slots_[slot].right != right)) {
        slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
}

void MergeTable::reserve(std::size_t count) {
    if (slots_.size() >= 2 * count && !slots_.empty()) {
        return;
    }
    const std::vector<Slot> old =
        std::exchange(slots_, std::vector<Slot>(std::bit_ceil(std::max<std::size_t>(2 * count, 16))));
    for (const Slot& slot : old) {
        if (slot.left >= 0) {
            slots_[slot_of(slot.left, slot.right)] = slot;
        }
    }
}

void MergeTable::set(std::int32_t left, std::int32_t right, Merge merge) {
    reserve(used_ + 1);
    Slot& slot = slots_[slot_of(left, right)];
    used_ += slot.left < 0 ? 1 : 0;
    slot = {left, right, merge};
}

const Merge* MergeTable::find(std::int32_t left, std::int32_t right) const {
    if (slots_.empty()) {
        return nullptr;
    }
    const Slot& slot = slots_[slot_of(left, right)];
    return slot.left < 0 ? nullptr : &slot.merge;
}

std::int32_t MergeModel::id_of(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? -1 : found->second;
}

std::string_view MergeModel::token(std::int32_t id) const {
    return id < 0 || id >= id_end() ? std::string_view() : tokens_[static_cast<std::size_t>(id)];
}

bool MergeModel::append_bytes(std::string_view character, std::vector<Symbol>& symbols) const {
    const auto id_of_byte = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
    if (!byte_fallback_ ||
        std::any_of(character.begin(), character.end(), [&](char c) { return id_of_byte(c) < 0; })) {
        return false;
    }
    for (const char c : character) {
        symbols.push_back({id_of_byte(c), -1, -1, false});
    }
    return true;
}

std::vector<MergeModel::Symbol> MergeModel::symbols_of(std::string_view word) const {
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    std::size_t unknown = 0; // characters without a token that are not in the list yet
    const auto flush = [&] {
        const std::size_t count = fuse_unk_ ? std::min<std::size_t>(unknown, 1) : unknown;
        symbols.insert(symbols.end(), count, Symbol{unk_id_, -1, -1, false});
        unknown = 0;
    };
    while (!word.empty()) {
        const std::size_t length = std::max<std::size_t>(character_length(word), 1);
        const std::string_view character = word.substr(0, length);
        word.remove_prefix(length);
        if (const std::int32_t id = id_of(character); id >= 0) {
            flush();
            symbols.push_back({id, -1, -1, false});
        } else if (!append_bytes(character, symbols) && unk_id_ >= 0) {
            ++unknown;
        }
    }
    flush();
    for (std::size_t i = 0; i < symbols.size(); ++i) {
        symbols[i].before = static_cast<std::int32_t>(i) - 1;
        symbols[i].after = i + 1 < symbols.size() ? static_cast<std::int32_t>(i) + 1 : -1;
    }
    return symbols;
}

void MergeModel::append_word(std::string_view word, std::vector<std::int32_t>& ids) const {
    std::vector<Symbol> symbols = symbols_of(word);
    const auto at = [&](std::int32_t position) -> Symbol& {
        return symbols[static_cast<std::size_t>(position)];
    };
    std::vector<Candidate> first;
    first.reserve(symbols.size());
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (const Merge* merge = merges_.find(symbols[i].id, symbols[i + 1].id)) {
            first.push_back({merge->rank, static_cast<std::int32_t>(i), merge->id});
        }
    }
    std::priority_queue<Candidate> queue(std::less<Candidate>{}, std::move(first));
    const auto propose = [&](std::int32_t left, std::int32_t right) {
        if (const Merge* merge = merges_.find(at(left).id, at(right).id)) {
            queue.push({merge->rank, left, merge->id});
        }
    };
    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        Symbol& left = at(best.position);
        if (left.merged_away || left.after < 0) {
            continue;
        }
        Symbol& right = at(left.after);
        // Either may have become another token since the candidate was found.
        const Merge* const merge = merges_.find(left.id, right.id);
        if (merge == nullptr || merge->id != best.id) {
            continue;
        }
        left.id = best.id;
        right.merged_away = true;
        left.after = right.after;
        if (left.after >= 0) {
            at(left.after).before = best.position;
            propose(best.position, left.after);
        }
        if (left.before >= 0) {
            propose(left.before, best.position);
        }
    }
    for (std::int32_t position = symbols.empty() ? -1 : 0; position >= 0; position = at(position).after) {
        ids.push_back(at(position).id);
    }
}

void MergeModel::append(const std::string& piece, WordCache& cache, std::vector<std::int32_t>& ids) const {
    const auto append_cached = [&](const std::string& word) {
        if (const auto* known = cache.find(word)) {
            ids.insert(ids.end(), known->begin(), known->end());
            return;
        }
        const auto begin = static_cast<std::ptrdiff_t>(ids.size());
        append_word(word, ids);
        cache.add(word, {ids.begin() + begin, ids.end()});
    };
    if (ignore_merges_) {
        if (const std::int32_t id = id_of(piece); id >= 0) {
            ids.push_back(id);
            return;
        }
    }
    if (!words_start_at_metaspace_) {
        append_cached(piece);
        return;
    }
    std::size_t begin = 0;
    while (begin < piece.size()) {
        std::size_t end = begin;
        while (piece.compare(end, metaspace.size(), metaspace) == 0) {
            end += metaspace.size();
        }
        end = std::min(piece.find(metaspace, end), piece.size());
        append_cached(piece.substr(begin, end - begin));
        begin = end;
    }
}

/// A text that nothing splits, as SentencePiece's is, may still be taken apart in front of every run of '▁'
/// where no merge reaches across: the ids are the same, and words can be remembered.
void MergeModel::find_word_starts() {
    words_start_at_metaspace_ = !ignore_merges_ && id_of(metaspace) >= 0;
    merges_.for_each([&](const Merge& merge) {
        std::string_view product = token(merge.id);
        while (product.starts_with(metaspace)) {
            product.remove_prefix(metaspace.size());
        }
        words_start_at_metaspace_ =
            words_start_at_metaspace_ && product.find(metaspace) == std::string_view::npos;
    });
}

} // namespace quantscope::bpe
