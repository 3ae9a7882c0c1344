// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tokenizer.h"

#include "engine/model/model_folder.h"
#include "engine/model/sentencepiece_tokenizer.h"
#include "engine/model/tokenizer_comparison.h"
#include "engine/model/tokenizer_json.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> missing(const fs::path& folder) {
    return make_error(
        ErrorCode::bad_input,
        fmt::format("{}: expected a tokenizer, found neither tokenizer.model nor tokenizer.json.",
                    folder.string()),
        "Download tokenizer.model or tokenizer.json from where the model comes from into the same folder.");
}

/// The notice of a folder that has both files.
std::string compared_with(const Tokenizer& used, const fs::path& path) {
    const std::string start =
        fmt::format("{} is used, not the tokenizer.json beside it", used.path().string());
    const auto other = open_tokenizer_json(path);
    if (!other) {
        return fmt::format("{}, which was not compared: {}", start, other.error().message);
    }
    const std::string difference = difference_of(used, **other);
    return difference.empty() ? start + "; no difference was found."
                              : fmt::format("{}. Warning: they do not agree: {}.", start, difference);
}

/// The end of the longest common start that does not cut a character.
std::size_t common_prefix(std::string_view a, std::string_view b) {
    const std::size_t limit = std::min(a.size(), b.size());
    std::size_t size = 0;
    while (size < limit && a[size] == b[size]) {
        ++size;
    }
    while (size > 0 && size < b.size() && (static_cast<unsigned char>(b[size]) & 0xC0U) == 0x80U) {
        --size;
    }
    return size;
}

} // namespace

Tokenizer::Tokenizer(fs::path path) : path_(std::move(path)) {}

Expected<std::shared_ptr<const Tokenizer>> Tokenizer::open(const fs::path& given) {
    const auto resolved = model_folder(given);
    if (!resolved) {
        return tl::unexpected(resolved.error());
    }
    const fs::path& folder = *resolved;
    const auto is_there = [&](const char* name) {
        std::error_code ignored;
        return fs::exists(folder / name, ignored);
    };
    const fs::path json = folder / "tokenizer.json";
    if (!is_there("tokenizer.model")) {
        return is_there("tokenizer.json") ? open_tokenizer_json(json) : missing(folder);
    }
    auto tokenizer = open_sentencepiece(folder / "tokenizer.model");
    if (!tokenizer && tokenizer.error().code == ErrorCode::unsupported && is_there("tokenizer.json")) {
        return open_tokenizer_json(json); // the other file is tiktoken's
    }
    if (tokenizer && is_there("tokenizer.json")) {
        (*tokenizer)->add_notice(compared_with(**tokenizer, json));
    }
    return tokenizer;
}

Expected<> Tokenizer::check_fits(const ModelConfig& config) const {
    if (text_vocab_size() > config.vocab_size) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("{}: expected at most {} tokens (vocab_size in config.json), found {}.",
                        path().string(), config.vocab_size, text_vocab_size()),
            "The tokenizer belongs to another model: download it from where the weights come from.");
    }
    return {};
}

Expected<std::string> Tokenizer::completion_text(std::string_view prompt,
                                                 std::span<const std::int32_t> prompt_ids,
                                                 std::span<const std::int32_t> new_ids) const {
    std::vector<std::int32_t> all(prompt_ids.begin(), prompt_ids.end());
    all.insert(all.end(), new_ids.begin(), new_ids.end());
    auto text = decode(all);
    if (!text) {
        return text;
    }
    if (text->starts_with(prompt)) {
        return text->substr(prompt.size());
    }
    const auto base = decode(prompt_ids);
    if (!base) {
        return tl::unexpected(base.error());
    }
    return text->substr(common_prefix(*base, *text));
}

std::vector<int> eos_token_ids(const ModelConfig& config, const Tokenizer& tokenizer) {
    if (!config.eos_token_ids.empty() || tokenizer.eos_id() < 0) {
        return config.eos_token_ids;
    }
    return {tokenizer.eos_id()};
}

} // namespace quantscope
