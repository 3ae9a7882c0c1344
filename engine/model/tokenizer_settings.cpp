// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tokenizer_settings.h"

#include "engine/json/json_fields.h"
#include "engine/model/mapped_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <system_error>

#include <fmt/format.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t max_settings_bytes = std::size_t{16} << 20U;
constexpr long long last_id = (1 << 22) - 1; // as many as a vocabulary may have
constexpr const char* config_name = "tokenizer_config.json";
constexpr const char* map_name = "special_tokens_map.json";
constexpr const char* added_name = "added_tokens.json";

/// A file's JSON object; null where there is no such file.
Expected<json> read_object(const fs::path& path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
        return json();
    }
    return read_small_file(path, max_settings_bytes).and_then([&](const std::string& text) {
        return parse_json_object(text, path.string());
    });
}

/// A special token is written as its text or as an object that holds it.
std::optional<std::string> token_text(const json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    const auto content = value.is_object() ? value.find("content") : value.end();
    return value.is_object() && content != value.end() && content->is_string()
               ? std::optional(content->get<std::string>())
               : std::nullopt;
}

class SettingsReader {
  public:
    explicit SettingsReader(const fs::path& folder) : folder_(folder) {}

    Expected<TokenizerSettings> read() {
        for (const char* name : {config_name, map_name, added_name}) {
            auto object = read_object(folder_ / name);
            if (!object) {
                return tl::unexpected(object.error());
            }
            files_[name] = *std::move(object);
        }
        read_flags();
        read_special_tokens(config_name);
        read_decoder();
        if (!files_[config_name].contains("added_tokens_decoder")) {
            // Newer folders repeat these two for older readers.
            read_special_tokens(map_name);
            read_added_tokens();
        }
        if (!result_) {
            return tl::unexpected(result_.error());
        }
        for (auto& [id, token] : tokens_) {
            token.special = token.special || special_.contains(token.content);
            settings_.added_tokens.push_back(std::move(token));
        }
        return std::move(settings_);
    }

  private:
    void fail(const char* file, const std::string& key, std::string_view expected, const json& found) {
        if (result_) {
            result_ = make_error(ErrorCode::bad_input,
                                 fmt::format("{}: '{}': expected {}, found {}.", (folder_ / file).string(),
                                             key, expected, describe(found)),
                                 "Correct this key, or download the file again.");
        }
    }

    void read_flags() {
        const json& config = files_[config_name];
        if (config.is_null()) {
            return;
        }
        JsonFields fields(config, (folder_ / config_name).string());
        settings_.tokenizer_class = fields.string_or("tokenizer_class", "");
        const auto flag = [&](const char* key) {
            return fields.has(key) ? std::optional(fields.boolean_or(key, false)) : std::nullopt;
        };
        settings_.add_bos_token = flag("add_bos_token");
        settings_.add_eos_token = flag("add_eos_token");
        settings_.add_prefix_space = flag("add_prefix_space");
        settings_.legacy = fields.boolean_or("legacy", false);
        if (!fields.result()) {
            result_ = fields.result();
        }
    }

    void read_special_tokens(const char* file) {
        const json& object = files_[file];
        const auto text_of = [&](const char* key) -> std::optional<std::string> {
            const auto found = object.is_object() ? object.find(key) : object.end();
            if (!object.is_object() || found == object.end()) {
                return std::nullopt;
            }
            auto text = found->is_null() ? std::string() : token_text(*found);
            if (!text) {
                fail(file, key, "a token's text, or an object with 'content'", *found);
            }
            return text;
        };
        for (const char* key : {"unk_token", "pad_token", "sep_token", "cls_token", "mask_token"}) {
            special_.insert(text_of(key).value_or(""));
        }
        const auto take = [&](const char* key, std::optional<std::string>& to) {
            auto text = text_of(key);
            special_.insert(text.value_or(""));
            to = to ? to : std::move(text);
        };
        take("bos_token", settings_.bos_token);
        take("eos_token", settings_.eos_token);
        for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
            const auto more = object.is_object() ? object.find(key) : object.end();
            if (object.is_object() && more != object.end() && more->is_array()) {
                for (const json& token : *more) {
                    special_.insert(token_text(token).value_or(""));
                }
            }
        }
    }

    void add(AddedToken token) {
        if (!token.content.empty()) {
            const int id = token.id;
            tokens_.emplace(id, std::move(token));
        }
    }

    /// {"32000": {"content": "<pad>", "special": true, …}}
    void read_decoder() {
        const json& config = files_[config_name];
        const auto decoder = config.is_object() ? config.find("added_tokens_decoder") : config.end();
        if (!config.is_object() || decoder == config.end() || decoder->is_null()) {
            return;
        }
        if (!decoder->is_object()) {
            fail(config_name, "added_tokens_decoder", "an object", *decoder);
            return;
        }
        for (const auto& [key, value] : decoder->items()) {
            AddedToken token;
            const char* const end = key.data() + key.size();
            const auto [rest, status] = std::from_chars(key.data(), end, token.id);
            const std::string place = "added_tokens_decoder." + key;
            if (status != std::errc() || rest != end || token.id < 0 || token.id > last_id) {
                fail(config_name, place, fmt::format("a token id from 0 to {} as key", last_id), key);
                return;
            }
            if (!value.is_object() || !token_text(value)) {
                fail(config_name, place, "an object with 'content'", value);
                return;
            }
            JsonFields fields(value, (folder_ / config_name).string(), place + ".");
            token.content = *token_text(value);
            token.special = fields.boolean_or("special", false);
            token.lstrip = fields.boolean_or("lstrip", false);
            token.rstrip = fields.boolean_or("rstrip", false);
            token.single_word = fields.boolean_or("single_word", false);
            if (result_ && !fields.result()) {
                result_ = fields.result();
            }
            add(std::move(token));
        }
    }

    /// {"<pad>": 32000}
    void read_added_tokens() {
        const json& added = files_[added_name];
        if (!added.is_object()) {
            return;
        }
        for (const auto& [content, id] : added.items()) {
            if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::uint64_t{last_id}) {
                fail(added_name, content, fmt::format("a token id from 0 to {}", last_id), id);
                return;
            }
            add({.id = id.get<int>(), .content = content});
        }
    }

    const fs::path& folder_;
    std::map<std::string, json, std::less<>> files_;
    std::map<int, AddedToken> tokens_;
    std::set<std::string> special_;
    TokenizerSettings settings_;
    Expected<> result_;
};

} // namespace

const AddedToken* TokenizerSettings::find(int id) const {
    const auto found =
        std::lower_bound(added_tokens.begin(), added_tokens.end(), id,
                         [](const AddedToken& token, int wanted) { return token.id < wanted; });
    return found == added_tokens.end() || found->id != id ? nullptr : &*found;
}

const AddedToken* TokenizerSettings::find(const std::string& content) const {
    const auto found = std::find_if(added_tokens.begin(), added_tokens.end(),
                                    [&](const AddedToken& token) { return token.content == content; });
    return found == added_tokens.end() ? nullptr : &*found;
}

Expected<std::string> read_tokenizer_settings_text(const fs::path& folder) {
    std::string all;
    for (const char* name : {config_name, map_name, added_name}) {
        std::error_code ignored;
        if (!fs::exists(folder / name, ignored)) {
            continue;
        }
        const auto text = read_small_file(folder / name, max_settings_bytes);
        if (!text) {
            return text;
        }
        all += fmt::format("{} {}\n", name, text->size()) + *text;
    }
    return all;
}

Expected<TokenizerSettings> read_tokenizer_settings(const fs::path& folder) {
    return SettingsReader(folder).read();
}

} // namespace quantscope
