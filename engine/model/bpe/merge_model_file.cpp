// SPDX-License-Identifier: Apache-2.0
// Reading: what a "model" of a tokenizer.json says. Encoding is in merge_model.cpp.
#include "engine/model/bpe/merge_model.h"

#include "engine/model/bpe/unicode.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace quantscope::bpe {

namespace {

/// Larger than any vocabulary that is published; an id reserves memory up to it.
constexpr std::uint64_t max_id = (1 << 22) - 1;

} // namespace

Expected<> MergeModel::read_vocabulary(const Fields& fields) {
    const auto vocabulary = fields.object("vocab");
    if (!vocabulary) {
        return tl::unexpected(vocabulary.error());
    }
    const nlohmann::json& entries = *fields.find("vocab");
    std::size_t end = 0;
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
        if (!entry->is_number_unsigned() || entry->get<std::uint64_t>() > max_id) {
            return vocabulary->wrong(entry.key(), fmt::format("an integer from 0 to {}", max_id));
        }
        end = std::max(end, entry->get<std::size_t>() + 1);
    }
    if (end == 0) {
        return fields.wrong("vocab", "a token and its id at least");
    }
    tokens_.resize(end);
    std::vector<bool> used(end);
    ids_.reserve(entries.size());
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
        const auto id = entry->get<std::size_t>();
        if (used[id]) {
            return vocabulary->wrong(entry.key(),
                                     fmt::format("an id of its own (that of '{}' is the same)", tokens_[id]));
        }
        used[id] = true;
        tokens_[id] = entry.key();
        ids_.emplace(tokens_[id], static_cast<std::int32_t>(id));
    }
    return {};
}

Expected<> MergeModel::add_merge(const Fields& fields, std::size_t index, std::string_view left,
                                 std::string_view right) {
    const std::string product = std::string(left) + std::string(right);
    const std::int32_t left_id = id_of(left);
    const std::int32_t right_id = id_of(right);
    const std::int32_t id = id_of(product);
    if (left_id < 0 || right_id < 0 || id < 0) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format(
                "{}: '{}[{}]': expected two tokens whose union is one, found '{}', which is not in the "
                "vocabulary.",
                fields.file(), fields.place("merges"), index,
                left_id < 0    ? left
                : right_id < 0 ? right
                               : product),
            "The file is damaged: download it again.");
    }
    // Of a pair that is listed twice the last place counts, as it does for the tokenizers library.
    merges_.set(left_id, right_id, {static_cast<std::int32_t>(index), id});
    return {};
}

Expected<> MergeModel::read_merges(const Fields& fields) {
    const nlohmann::json* const list = fields.find("merges");
    if (list == nullptr || !list->is_array()) {
        return fields.wrong("merges", "a list of pairs");
    }
    merges_.reserve(list->size());
    for (std::size_t i = 0; i < list->size(); ++i) {
        const nlohmann::json& entry = (*list)[i];
        std::string_view left;
        std::string_view right;
        if (entry.is_string()) {
            const std::string_view both = entry.get_ref<const std::string&>();
            const std::size_t space = both.find(' ');
            if (space != std::string_view::npos && both.find(' ', space + 1) == std::string_view::npos) {
                left = both.substr(0, space);
                right = both.substr(space + 1);
            }
        } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
            left = entry[0].get_ref<const std::string&>();
            right = entry[1].get_ref<const std::string&>();
        }
        if (left.empty() || right.empty()) {
            return Fields(entry, fields.file(), fmt::format("{}[{}]", fields.place("merges"), i))
                .wrong("", "two tokens, \"a b\" or [\"a\", \"b\"]");
        }
        if (auto ok = add_merge(fields, i, left, right); !ok) {
            return ok;
        }
    }
    return {};
}

Expected<> MergeModel::read_options(const Fields& fields) {
    if (const auto* dropout = fields.find("dropout"); dropout != nullptr && *dropout != 0.0) {
        return fields.unsupported("dropout", "null, because ids must not depend on chance");
    }
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        const auto text = fields.string(affix, "");
        if (!text) {
            return tl::unexpected(text.error());
        }
        if (!text->empty()) {
            return fields.unsupported(affix, "none");
        }
    }
    const auto unk = fields.string("unk_token", "");
    if (!unk) {
        return tl::unexpected(unk.error());
    }
    if (fields.find("unk_token") != nullptr) {
        unk_id_ = id_of(*unk);
        if (unk_id_ < 0) {
            return fields.wrong("unk_token", "a token of the vocabulary");
        }
    }
    for (auto [key, value] : {std::pair{"fuse_unk", &fuse_unk_}, std::pair{"byte_fallback", &byte_fallback_},
                              std::pair{"ignore_merges", &ignore_merges_}}) {
        const auto read = fields.boolean(key, false);
        if (!read) {
            return tl::unexpected(read.error());
        }
        *value = *read;
    }
    for (unsigned byte = 0; byte < byte_ids_.size(); ++byte) {
        byte_ids_[byte] = id_of(fmt::format("<0x{:02X}>", byte));
    }
    return {};
}

Expected<MergeModel> MergeModel::parse(const Fields& fields) {
    const auto type = fields.string("type", "BPE"); // the first files had no type
    if (!type) {
        return tl::unexpected(type.error());
    }
    if (*type != "BPE") {
        return fields.unsupported("type", "the model BPE");
    }
    if (auto ok =
            fields.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                         "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
        !ok) {
        return tl::unexpected(ok.error());
    }
    MergeModel model;
    for (const auto read :
         {&MergeModel::read_vocabulary, &MergeModel::read_merges, &MergeModel::read_options}) {
        if (auto ok = (model.*read)(fields); !ok) {
            return tl::unexpected(ok.error());
        }
    }
    model.find_word_starts();
    return model;
}

} // namespace quantscope::bpe
