// SPDX-License-Identifier: Apache-2.0
#include "engine/model/config.h"

#include "engine/model/eos_ids.h"
#include "engine/model/mapped_file.h"

#include <array>
#include <system_error>

#include <fmt/format.h>

namespace quantscope {

namespace {

using nlohmann::json;

constexpr std::size_t max_text_bytes = std::size_t{1} << 20U;
constexpr const char* file_name = "generation_config.json";

/// What would change the tokens of transformers' generate() even when it is greedy, and the value that does
/// not. Sampling is not here: a campaign has its own.
struct Processor {
    const char* key;
    double neutral;
};
constexpr std::array<Processor, 5> processors = {{{"repetition_penalty", 1.0},
                                                  {"encoder_repetition_penalty", 1.0},
                                                  {"no_repeat_ngram_size", 0.0},
                                                  {"min_length", 0.0},
                                                  {"min_new_tokens", 0.0}}};
constexpr std::array processor_lists = {"suppress_tokens", "begin_suppress_tokens", "bad_words_ids",
                                        "sequence_bias",   "forced_bos_token_id",   "forced_eos_token_id"};

bool changes_tokens(const json& document, const char*& key) {
    for (const Processor& processor : processors) {
        const auto found = document.find(processor.key);
        key = processor.key;
        if (found != document.end() && found->is_number() && found->get<double>() != processor.neutral) {
            return true;
        }
    }
    for (const char* list : processor_lists) {
        const auto found = document.find(list);
        key = list;
        if (found != document.end() && !found->is_null() && !(found->is_structured() && found->empty())) {
            return true;
        }
    }
    return false;
}

} // namespace

std::vector<int> read_eos_ids(const json& document, JsonFields& fields, int last_id) {
    const auto eos = document.find("eos_token_id");
    if (eos == document.end() || !eos->is_array()) {
        const auto id = static_cast<int>(fields.integer_or("eos_token_id", -1, -1, last_id));
        return id < 0 ? std::vector<int>() : std::vector<int>{id};
    }
    std::vector<int> ids;
    for (const json& id : *eos) {
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() > static_cast<std::uint64_t>(last_id)) {
            fields.fail(ErrorCode::bad_input, "eos_token_id", fmt::format("token ids from 0 to {}", last_id),
                        describe(id));
            return {};
        }
        ids.push_back(id.get<int>());
    }
    return ids;
}

Expected<std::string> read_generation_config_text(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / file_name;
    std::error_code ignored;
    return std::filesystem::exists(path, ignored) ? read_small_file(path, max_text_bytes) : std::string();
}

Expected<> apply_generation_config(std::string_view text, const std::filesystem::path& folder,
                                   ModelConfig& config) {
    if (text.empty()) {
        return {};
    }
    const std::string where = (folder / file_name).string();
    const auto document = parse_json_object(text, where);
    if (!document) {
        return tl::unexpected(document.error());
    }
    JsonFields fields(*document, where);
    auto ids = read_eos_ids(*document, fields, config.vocab_size - 1);
    if (!fields.result()) {
        return fields.result();
    }
    if (!ids.empty()) {
        config.eos_token_ids = std::move(ids);
    }
    const char* key = nullptr;
    if (changes_tokens(*document, key)) {
        config.notices.push_back(fmt::format(
            "{}: '{}' is not applied: tokens are chosen greedily or by temperature and top-p alone.", where,
            key));
    }
    return {};
}

} // namespace quantscope
