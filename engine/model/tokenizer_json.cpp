// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tokenizer_json.h"

#include "engine/json/json_fields.h"
#include "engine/model/bpe/added_tokens.h"
#include "engine/model/bpe/decoder.h"
#include "engine/model/bpe/merge_model.h"
#include "engine/model/bpe/normalizer.h"
#include "engine/model/bpe/post_processor.h"
#include "engine/model/bpe/pre_tokenizer.h"
#include "engine/model/bpe/unicode.h"
#include "engine/model/mapped_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;
using bpe::Fields;

constexpr std::size_t max_file_bytes = std::size_t{128} << 20U;
constexpr std::size_t max_text_bytes = std::size_t{64} << 20U;
constexpr JsonLimits json_limits{.max_depth = 24, .max_values = 8'000'000};

/// What a tokenizer.json says.
struct Parts {
    bpe::MergeModel model;
    bpe::Normalizer normalizer;      ///< empty: none
    bpe::PreTokenizer pre_tokenizer; ///< empty: none
    bpe::AddedTokens added;
    bpe::Decoder decoder; ///< empty: tokens are joined by spaces
    bpe::Frame frame;
    std::int32_t bos_id = -1;
    std::int32_t eos_id = -1;

    std::int32_t id_of(const std::string& token) const {
        const std::int32_t id = added.id_of(token);
        return id >= 0 ? id : model.id_of(token);
    }
};

class BpeTokenizer final : public Tokenizer {
  public:
    BpeTokenizer(fs::path path, Parts parts, const TokenizerSettings& settings);

    int vocab_size() const override { return parts_.added.id_end(); }
    int text_vocab_size() const override { return parts_.model.id_end(); }
    int bos_id() const override { return parts_.bos_id; }
    int eos_id() const override { return parts_.eos_id; }

    Expected<std::vector<std::int32_t>> encode(std::string_view text) const override;
    Expected<std::vector<std::int32_t>> encode_prompt(std::string_view text) const override;
    Expected<std::string> decode(std::span<const std::int32_t> ids) const override;

  private:
    Expected<> append_section(std::string_view text, bool starts_text, bpe::WordCache& cache,
                              std::vector<std::int32_t>& ids) const;
    tl::unexpected<Error> at_path(const Error& error) const {
        return make_error(error.code, fmt::format("{}: {}", path().string(), error.message), error.hint);
    }

    Parts parts_;
};

BpeTokenizer::BpeTokenizer(fs::path path, Parts parts, const TokenizerSettings& settings)
    : Tokenizer(std::move(path)), parts_(std::move(parts)) {
    if (!parts_.frame.behind.empty()) {
        add_notice(fmt::format("{}: the post-processor puts {} tokens behind a text; a prompt that is to be "
                               "continued goes without them.",
                               this->path().string(), parts_.frame.behind.size()));
    }
    const auto strange =
        std::count_if(settings.added_tokens.begin(), settings.added_tokens.end(),
                      [&](const AddedToken& token) { return parts_.id_of(token.content) != token.id; });
    if (strange > 0) {
        add_notice(
            fmt::format("{}: {} of the tokens that tokenizer_config.json adds are not in this file under "
                        "the same id; they are read as ordinary text.",
                        this->path().string(), strange));
    }
}

/// A stretch of text between the tokens that are found before normalizing.
Expected<> BpeTokenizer::append_section(std::string_view text, bool starts_text, bpe::WordCache& cache,
                                        std::vector<std::int32_t>& ids) const {
    auto normalized =
        parts_.normalizer ? parts_.normalizer(std::string(text)) : Expected<std::string>(std::string(text));
    if (!normalized) {
        return tl::unexpected(normalized.error());
    }
    for (const bpe::Section& section : parts_.added.split(*normalized, true)) {
        if (section.id >= 0) {
            ids.push_back(section.id);
            continue;
        }
        std::vector<bpe::Piece> pieces = {{normalized->substr(section.begin, section.end - section.begin),
                                           starts_text && section.begin == 0}};
        if (parts_.pre_tokenizer) {
            auto split = parts_.pre_tokenizer(std::move(pieces));
            if (!split) {
                return tl::unexpected(split.error());
            }
            pieces = *std::move(split);
        }
        for (const bpe::Piece& piece : pieces) {
            parts_.model.append(piece.text, cache, ids);
        }
    }
    return {};
}

Expected<std::vector<std::int32_t>> BpeTokenizer::encode(std::string_view text) const {
    if (text.size() > max_text_bytes) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: a text of {} bytes cannot be encoded: at most {} are taken.",
                                      path().string(), text.size(), max_text_bytes));
    }
    const std::string valid = bpe::to_valid_utf8(text);
    std::vector<std::int32_t> ids;
    bpe::WordCache cache;
    for (const bpe::Section& section : parts_.added.split(valid, false)) {
        if (section.id >= 0) {
            ids.push_back(section.id);
            continue;
        }
        const auto ok =
            append_section(std::string_view(valid).substr(section.begin, section.end - section.begin),
                           section.begin == 0, cache, ids);
        if (!ok) {
            return at_path(ok.error());
        }
    }
    return ids;
}

Expected<std::vector<std::int32_t>> BpeTokenizer::encode_prompt(std::string_view text) const {
    auto ids = encode(text);
    if (ids) {
        ids->insert(ids->begin(), parts_.frame.before.begin(), parts_.frame.before.end());
    }
    return ids;
}

Expected<std::string> BpeTokenizer::decode(std::span<const std::int32_t> ids) const {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (std::int32_t id : ids) {
        const bpe::AddedToken* added = parts_.added.find(id);
        std::string_view token = added != nullptr ? added->content : parts_.model.token(id);
        if (token.empty()) {
            added = parts_.added.find(parts_.model.unk_id());
            token = parts_.model.token(parts_.model.unk_id());
        }
        if (!token.empty() && !(added != nullptr && added->special)) {
            tokens.emplace_back(token);
        }
    }
    if (!parts_.decoder) {
        return fmt::format("{}", fmt::join(tokens, " "));
    }
    const auto texts = parts_.decoder(std::move(tokens));
    if (!texts) {
        return at_path(texts.error());
    }
    std::string text;
    for (const std::string& part : *texts) {
        text += part;
    }
    return text;
}

/// Whether the vocabulary was SentencePiece's, and text is to begin with a '▁'.
bool is_sentencepiece_llama(const Fields& document, const bpe::MergeModel& model,
                            const TokenizerSettings& settings) {
    if ((settings.tokenizer_class != "LlamaTokenizer" && settings.tokenizer_class != "LlamaTokenizerFast") ||
        !model.byte_fallback() || document.find("pre_tokenizer") == nullptr) {
        return false;
    }
    const auto pre = document.object("pre_tokenizer");
    return pre && pre->string("type", "") == "Metaspace" &&
           pre->string("replacement", "") == "\xE2\x96\x81" &&
           pre->string("prepend_scheme", "always") != "never" &&
           pre->boolean("add_prefix_space", true) == true;
}

Expected<> read_pipeline(const Fields& document, const TokenizerSettings& settings, Parts& parts) {
    const auto read = [&](const char* key, auto parse, auto& part) -> Expected<> {
        if (document.find(key) == nullptr) {
            return {};
        }
        const auto fields = document.object(key);
        if (!fields) {
            return tl::unexpected(fields.error());
        }
        auto parsed = parse(*fields);
        if (!parsed) {
            return tl::unexpected(parsed.error());
        }
        part = *std::move(parsed);
        return {};
    };
    if (auto ok = read("normalizer", bpe::parse_normalizer, parts.normalizer); !ok) {
        return ok;
    }
    if (auto ok = read("pre_tokenizer", bpe::parse_pre_tokenizer, parts.pre_tokenizer); !ok) {
        return ok;
    }
    if (auto ok = read("decoder", bpe::parse_decoder, parts.decoder); !ok) {
        return ok;
    }
    if (is_sentencepiece_llama(document, parts.model, settings)) {
        parts.pre_tokenizer = bpe::sentencepiece_prefix();
    }
    auto added = bpe::AddedTokens::parse(document, parts.model, parts.normalizer);
    if (!added) {
        return tl::unexpected(added.error());
    }
    parts.added = *std::move(added);
    return read(
        "post_processor",
        [&](const Fields& fields) { return bpe::parse_post_processor(fields, parts.added.id_end()); },
        parts.frame);
}

/// What tokenizer_config.json says about BOS and EOS. An explicit add_bos_token decides over the file's
/// template.
void apply_settings(const TokenizerSettings& settings, Parts& parts) {
    const auto id_of = [&](const std::optional<std::string>& token) {
        return token ? parts.id_of(*token) : -1;
    };
    auto& before = parts.frame.before;
    parts.bos_id = id_of(settings.bos_token);
    parts.eos_id = id_of(settings.eos_token);
    if (!settings.bos_token && before.size() == 1) {
        parts.bos_id = before.front();
    }
    if (!settings.add_bos_token || parts.bos_id < 0) {
        return;
    }
    const auto bos = std::find(before.begin(), before.end(), parts.bos_id);
    if (*settings.add_bos_token && bos == before.end()) {
        before.insert(before.begin(), parts.bos_id);
    } else if (!*settings.add_bos_token && bos != before.end()) {
        before.erase(bos);
    }
}

} // namespace

Expected<std::shared_ptr<const Tokenizer>>
make_bpe_tokenizer(const nlohmann::json& document, const fs::path& path, const TokenizerSettings& settings) {
    const Fields fields(document, path.string(), "");
    if (auto ok = fields.only({"version", "truncation", "padding", "added_tokens", "normalizer",
                               "pre_tokenizer", "post_processor", "decoder", "model"});
        !ok) {
        return tl::unexpected(ok.error());
    }
    const auto version = fields.string("version", "1.0");
    if (!version) {
        return tl::unexpected(version.error());
    }
    if (*version != "1.0") {
        return fields.unsupported("version", "\"1.0\"");
    }
    const auto model_fields = fields.object("model");
    if (!model_fields) {
        return tl::unexpected(model_fields.error());
    }
    auto model = bpe::MergeModel::parse(*model_fields);
    if (!model) {
        return tl::unexpected(model.error());
    }
    Parts parts{*std::move(model), {}, {}, {}, {}, {}};
    if (auto ok = read_pipeline(fields, settings, parts); !ok) {
        return tl::unexpected(ok.error());
    }
    apply_settings(settings, parts);
    return std::make_shared<const BpeTokenizer>(path, std::move(parts), settings);
}

Expected<std::shared_ptr<const Tokenizer>> open_tokenizer_json(const fs::path& path) {
    const auto text = read_small_file(path, max_file_bytes);
    if (!text) {
        return tl::unexpected(text.error());
    }
    const auto document = parse_json_object(*text, path.string(), json_limits);
    if (!document) {
        return tl::unexpected(document.error());
    }
    const auto settings = read_tokenizer_settings(path.parent_path());
    if (!settings) {
        return tl::unexpected(settings.error());
    }
    return make_bpe_tokenizer(*document, path, *settings);
}

} // namespace quantscope
