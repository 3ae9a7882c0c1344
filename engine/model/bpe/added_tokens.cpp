// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/added_tokens.h"

#include "engine/model/bpe/unicode.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace quantscope::bpe {

namespace {

/// Looking for tokens costs as much as the longest one at every place that begins like it.
constexpr std::size_t max_content_bytes = 512;
constexpr std::int64_t max_id = (1 << 22) - 1;

std::string_view last_character(std::string_view text) {
    std::size_t begin = text.size();
    do {
        --begin;
    } while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U);
    return text.substr(begin);
}

std::string_view first_character(std::string_view text) {
    return text.substr(0, std::max<std::size_t>(character_length(text), 1));
}

bool stands_alone(std::string_view before, std::string_view behind) {
    return (before.empty() || !is_word(decode_character(last_character(before)))) &&
           (behind.empty() || !is_word(decode_character(first_character(behind))));
}

std::size_t white_space_at_end(std::string_view text) {
    std::size_t bytes = 0;
    while (bytes < text.size()) {
        const std::string_view last = last_character(text.substr(0, text.size() - bytes));
        if (!is_white_space(decode_character(last))) {
            break;
        }
        bytes += last.size();
    }
    return bytes;
}

std::size_t white_space_at_start(std::string_view text) {
    std::size_t bytes = 0;
    while (bytes < text.size()) {
        const std::string_view first = first_character(text.substr(bytes));
        if (!is_white_space(decode_character(first))) {
            break;
        }
        bytes += first.size();
    }
    return bytes;
}

Expected<AddedToken> parse_token(const Fields& fields) {
    if (auto ok = fields.only({"id", "content", "special", "single_word", "lstrip", "rstrip", "normalized"});
        !ok) {
        return tl::unexpected(ok.error());
    }
    AddedToken token;
    auto content = fields.string("content");
    const auto id = fields.integer("id", 0, max_id);
    if (!content || !id) {
        return tl::unexpected(content ? id.error() : content.error());
    }
    if (content->empty() || content->size() > max_content_bytes) {
        return fields.wrong("content", fmt::format("1 to {} bytes", max_content_bytes));
    }
    token.content = *std::move(content);
    token.id = static_cast<std::int32_t>(*id);
    for (auto [key, value, absent] :
         {std::tuple{"special", &token.special, false}, std::tuple{"single_word", &token.single_word, false},
          std::tuple{"lstrip", &token.lstrip, false}, std::tuple{"rstrip", &token.rstrip, false}}) {
        const auto read = fields.boolean(key, absent);
        if (!read) {
            return tl::unexpected(read.error());
        }
        *value = *read;
    }
    const auto normalized = fields.boolean("normalized", !token.special);
    if (!normalized) {
        return tl::unexpected(normalized.error());
    }
    token.normalized = *normalized;
    return token;
}

} // namespace

void WordTrie::add(std::string_view word, std::size_t value) {
    std::uint32_t node = 0;
    for (const char c : word) {
        const std::uint64_t edge = (std::uint64_t{node} << 8U) | static_cast<unsigned char>(c);
        const auto [next, is_new] = edges_.try_emplace(edge, static_cast<std::uint32_t>(values_.size()));
        if (is_new) {
            values_.push_back(0);
        }
        node = next->second;
    }
    if (!word.empty()) {
        values_[node] = value + 1;
    }
}

WordTrie::Found WordTrie::longest(std::string_view text) const {
    Found found;
    std::uint32_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto next = edges_.find((std::uint64_t{node} << 8U) | static_cast<unsigned char>(text[i]));
        if (next == edges_.end()) {
            break;
        }
        node = next->second;
        if (values_[node] > 0) {
            found = {i + 1, values_[node] - 1};
        }
    }
    return found;
}

Expected<AddedTokens> AddedTokens::parse(const Fields& document, const MergeModel& model,
                                         const Normalizer& normalizer) {
    AddedTokens added;
    added.id_end_ = model.id_end();
    if (document.find("added_tokens") == nullptr) {
        return added;
    }
    const auto entries = document.objects("added_tokens");
    if (!entries) {
        return tl::unexpected(entries.error());
    }
    auto next_id = static_cast<std::int32_t>(model.token_count());
    std::unordered_map<std::string_view, std::int32_t> seen;
    added.tokens_.reserve(entries->size()); // `seen` views them
    for (const Fields& fields : *entries) {
        auto token = parse_token(fields);
        if (!token) {
            return tl::unexpected(token.error());
        }
        const std::int32_t known = model.id_of(token->content);
        if (const std::int32_t expected = known >= 0 ? known : next_id; token->id != expected) {
            return fields.wrong("id", fmt::format("{}, {}", expected,
                                                  known >= 0 ? "as in the vocabulary" : "the next free id"));
        }
        if (seen.contains(token->content) || added.by_id_.contains(token->id)) {
            return fields.wrong("content", "a token that is listed once");
        }
        // The library goes on behind the largest id of an added token, if that lies behind the vocabulary.
        next_id = std::max(next_id, token->id + 1);
        added.id_end_ = std::max(added.id_end_, token->id + 1);
        added.by_id_.emplace(token->id, added.tokens_.size());
        added.tokens_.push_back(*std::move(token));
        seen.emplace(added.tokens_.back().content, added.tokens_.back().id);
    }
    for (std::size_t i = 0; i < added.tokens_.size(); ++i) {
        const AddedToken& token = added.tokens_[i];
        if (!token.normalized) {
            added.as_written_.add(token.content, i);
            continue;
        }
        const auto content = normalizer ? normalizer(token.content) : Expected<std::string>(token.content);
        if (!content) {
            return tl::unexpected(content.error());
        }
        added.normalized_.add(*content, i);
    }
    return added;
}

std::vector<Section> AddedTokens::split(std::string_view text, bool normalized) const {
    const WordTrie& trie = normalized ? normalized_ : as_written_;
    std::vector<Section> sections;
    std::size_t covered = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const WordTrie::Found found = trie.longest(text.substr(at));
        if (found.length == 0) {
            ++at;
            continue;
        }
        const AddedToken& token = tokens_[found.value];
        std::size_t begin = at;
        std::size_t end = at + found.length;
        at = end;
        if (token.single_word && !stands_alone(text.substr(0, begin), text.substr(end))) {
            continue;
        }
        if (token.lstrip) {
            begin = std::max(covered, begin - white_space_at_end(text.substr(0, begin)));
        }
        if (token.rstrip) {
            end += white_space_at_start(text.substr(end));
        }
        // A token of white space may follow that the one before has taken; the library then counts it twice.
        if (covered < begin) {
            sections.push_back({-1, covered, begin});
        }
        sections.push_back({token.id, begin, end});
        covered = end;
    }
    if (covered < text.size()) {
        sections.push_back({-1, covered, text.size()});
    }
    return sections;
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

std::int32_t AddedTokens::id_of(std::string_view content) const {
    const auto found = std::find_if(tokens_.begin(), tokens_.end(),
                                    [&](const AddedToken& token) { return token.content == content; });
    return found == tokens_.end() ? -1 : found->id;
}

} // namespace quantscope::bpe
