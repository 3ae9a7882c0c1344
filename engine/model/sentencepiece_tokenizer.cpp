// SPDX-License-Identifier: Apache-2.0
#include "engine/model/sentencepiece_tokenizer.h"

#include "engine/model/charsmap_check.h"
#include "engine/model/mapped_file.h"
#include "engine/model/tokenizer_settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <sentencepiece_processor.h>

namespace quantscope {

namespace {

constexpr std::size_t max_tokenizer_bytes = std::size_t{64} << 20U;
const char* const damaged_hint =
    "The file is damaged or no SentencePiece model: download tokenizer.model again.";

/// The byte of a byte-fallback piece, spelled "<0x0A>".
unsigned byte_of(const std::string& piece) {
    unsigned value = 0;
    if (piece.size() == 6) {
        std::from_chars(piece.data() + 3, piece.data() + 5, value, 16);
    }
    return value;
}

/// Bytes that a UTF-8 sequence has, by its first byte; 1 for what cannot start one.
std::size_t sequence_length(unsigned first) {
    return first >= 0xF0 && first <= 0xF4  ? 4
           : first >= 0xE0 && first < 0xF0 ? 3
           : first >= 0xC2 && first < 0xE0 ? 2
                                           : 1;
}

using Processor = sentencepiece::SentencePieceProcessor;

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80U;
}

/// Whether the token stands at `at`; single words only where no word goes on beside them.
bool stands_at(const AddedToken& token, std::string_view text, std::size_t at) {
    const std::size_t end = at + token.content.size();
    return text.substr(at).starts_with(token.content) &&
           !(token.single_word &&
             ((at > 0 && is_word(text[at - 1])) || (end < text.size() && is_word(text[end]))));
}

/// A piece of a text: an added token, or what stands between two.
struct TextPart {
    const AddedToken* token = nullptr;
    std::string_view text;
};

/// As transformers does: from left to right, the longest token wins, and a token takes the spaces that it
/// asks for.
std::vector<TextPart> split_at(const std::vector<AddedToken>& tokens, std::string_view text) {
    std::vector<TextPart> parts;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
        const AddedToken* longest = nullptr;
        for (const AddedToken& token : tokens) {
            if (token.content.front() == text[at] && stands_at(token, text, at) &&
                (longest == nullptr || token.content.size() > longest->content.size())) {
                longest = &token;
            }
        }
        if (longest == nullptr) {
            ++at;
            continue;
        }
        std::size_t before = at;
        while (longest->lstrip && before > begin && text[before - 1] == ' ') {
            --before;
        }
        parts.push_back({nullptr, text.substr(begin, before - begin)});
        at += longest->content.size();
        parts.push_back({longest, {}});
        while (longest->rstrip && at < text.size() && text[at] == ' ') {
            ++at;
        }
        begin = at;
    }
    parts.push_back({nullptr, text.substr(begin)});
    return parts;
}

class SentencePieceTokenizer final : public Tokenizer {
  public:
    /// @param plain  the same model without a prefix space; null where there are no added tokens
    SentencePieceTokenizer(std::filesystem::path path, std::unique_ptr<Processor> processor,
                           std::unique_ptr<Processor> plain, TokenizerSettings settings);

    int vocab_size() const override { return vocab_size_; }
    int text_vocab_size() const override { return processor_->GetPieceSize(); }
    int bos_id() const override { return bos_id_; }
    int eos_id() const override { return eos_id_; }

    Expected<std::vector<std::int32_t>> encode(std::string_view text) const override;
    Expected<std::vector<std::int32_t>> encode_prompt(std::string_view text) const override;
    Expected<std::string> decode(std::span<const std::int32_t> ids) const override;

  private:
    int id_of(const std::optional<std::string>& token, int fallback) const;
    Expected<> append_ids(const Processor& processor, std::string_view text,
                          std::vector<std::int32_t>& ids) const;
    Expected<> append_text(const Processor& processor, const std::vector<int>& ids, std::string& text) const;
    bool is_silent(std::int32_t id) const;
    std::size_t unfinished_tail(std::span<const int> ids) const;

    std::unique_ptr<Processor> processor_;
    std::unique_ptr<Processor> plain_;
    TokenizerSettings settings_;
    int vocab_size_;
    int bos_id_;
    int eos_id_;
};

SentencePieceTokenizer::SentencePieceTokenizer(std::filesystem::path path,
                                               std::unique_ptr<Processor> processor,
                                               std::unique_ptr<Processor> plain, TokenizerSettings settings)
    : Tokenizer(std::move(path)), processor_(std::move(processor)), plain_(std::move(plain)),
      settings_(std::move(settings)), vocab_size_(processor_->GetPieceSize()),
      bos_id_(id_of(settings_.bos_token, processor_->bos_id())),
      eos_id_(id_of(settings_.eos_token, processor_->eos_id())) {
    if (!settings_.added_tokens.empty()) {
        vocab_size_ = std::max(vocab_size_, settings_.added_tokens.back().id + 1);
    }
    if (settings_.add_eos_token.value_or(false)) {
        add_notice(fmt::format("{}: 'add_eos_token' is true; a prompt that is to be continued gets no "
                               "end-of-sequence token all the same.",
                               (this->path().parent_path() / "tokenizer_config.json").string()));
    }
}

/// -1 where the settings say that there is none.
int SentencePieceTokenizer::id_of(const std::optional<std::string>& token, int fallback) const {
    if (!token) {
        return fallback;
    }
    if (token->empty()) {
        return -1;
    }
    if (const AddedToken* added = settings_.find(*token)) {
        return added->id;
    }
    const int id = processor_->PieceToId(*token);
    return processor_->IsUnknown(id) && *token != processor_->IdToPiece(id) ? fallback : id;
}

Expected<> SentencePieceTokenizer::append_ids(const Processor& processor, std::string_view text,
                                              std::vector<std::int32_t>& ids) const {
    std::vector<int> more;
    const auto status = processor.Encode(text, &more);
    if (!status.ok()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: a text of {} bytes cannot be encoded: {}.", path().string(),
                                      text.size(), status.error_message()));
    }
    ids.insert(ids.end(), more.begin(), more.end());
    return {};
}

Expected<std::vector<std::int32_t>> SentencePieceTokenizer::encode(std::string_view text) const {
    std::vector<std::int32_t> ids;
    for (const TextPart& part : split_at(settings_.added_tokens, text)) {
        if (part.token != nullptr) {
            ids.push_back(part.token->id);
            continue;
        }
        const bool prefixed = settings_.legacy || part.text.data() == text.data();
        if (auto added = append_ids(prefixed ? *processor_ : *plain_, part.text, ids); !added) {
            return tl::unexpected(added.error());
        }
    }
    return ids;
}

Expected<std::vector<std::int32_t>> SentencePieceTokenizer::encode_prompt(std::string_view text) const {
    auto ids = encode(text);
    if (ids && bos_id() >= 0 && settings_.add_bos_token.value_or(true)) {
        ids->insert(ids->begin(), bos_id());
    }
    return ids;
}

std::size_t SentencePieceTokenizer::unfinished_tail(std::span<const int> ids) const {
    // A character has at most 4 bytes, so that an unfinished one has at most 3.
    for (std::size_t count = 1; count <= std::min<std::size_t>(3, ids.size()); ++count) {
        const int id = ids[ids.size() - count];
        if (!processor_->IsByte(id)) {
            return 0;
        }
        const unsigned byte = byte_of(processor_->IdToPiece(id));
        if ((byte & 0xC0U) != 0x80U) {
            return sequence_length(byte) > count ? count : 0;
        }
    }
    return 0;
}

Expected<> SentencePieceTokenizer::append_text(const Processor& processor, const std::vector<int>& ids,
                                               std::string& text) const {
    std::string more;
    const auto status = processor.Decode(ids, &more);
    if (!status.ok()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: {} token ids cannot be decoded: {}.", path().string(), ids.size(),
                                      status.error_message()));
    }
    text += more;
    return {};
}

/// BOS, EOS and whatever else gives no text.
bool SentencePieceTokenizer::is_silent(std::int32_t id) const {
    if (id == bos_id_ || id == eos_id_) {
        return true;
    }
    const AddedToken* const added = settings_.find(id);
    return added != nullptr ? added->special : id >= 0 && id < text_vocab_size() && processor_->IsControl(id);
}

Expected<std::string> SentencePieceTokenizer::decode(std::span<const std::int32_t> ids) const {
    std::string text;
    std::vector<int> pieces;
    const auto end_pieces = [&]() -> Expected<> {
        const bool first = text.empty() || plain_ == nullptr;
        auto appended = append_text(first ? *processor_ : *plain_, pieces, text);
        pieces.clear();
        return appended;
    };
    for (const std::int32_t id : ids) {
        if (is_silent(id)) {
            continue;
        }
        const AddedToken* const added = settings_.find(id);
        if (added == nullptr || id < text_vocab_size()) {
            pieces.push_back(id < 0 || id >= text_vocab_size() ? std::max(processor_->unk_id(), 0) : id);
            continue;
        }
        if (auto ended = end_pieces(); !ended) {
            return tl::unexpected(ended.error());
        }
        text += added->content;
    }
    pieces.resize(pieces.size() - unfinished_tail(pieces));
    if (auto ended = end_pieces(); !ended) {
        return tl::unexpected(ended.error());
    }
    return text;
}

/// A model's bytes that say whether a text gets a prefix space: what comes later in a protocol buffer message
/// wins, so that a normalizer_spec (field 3) whose add_dummy_prefix (field 3) is set can be put behind.
std::string with_prefix_space(std::string bytes, bool prefix) {
    return std::move(bytes) + std::string{0x1A, 0x02, 0x18, static_cast<char>(prefix ? 1 : 0)};
}

/// transformers' Llama tokenizers put a space before a text unless tokenizer_config.json says no, whatever
/// the SentencePiece model says; other classes leave that to the model.
std::optional<bool> prefix_space(const TokenizerSettings& settings) {
    const bool llama = settings.tokenizer_class.find("LlamaTokenizer") != std::string::npos;
    return settings.add_prefix_space || !llama ? settings.add_prefix_space : std::optional(true);
}

/// Llama 3 and others publish tiktoken's vocabulary under the same name: lines of a token in base64 and its
/// rank.
bool looks_like_tiktoken(std::string_view bytes) {
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    const std::size_t space = line.find(' ');
    const auto digits = [](std::string_view text) {
        return !text.empty() && text.find_first_not_of("0123456789\r") == std::string_view::npos;
    };
    return space != std::string_view::npos && space > 0 && digits(line.substr(space + 1)) &&
           line.substr(0, space).find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
               "+/=") == std::string_view::npos;
}

tl::unexpected<Error> refuse(const std::filesystem::path& path, std::string_view bytes) {
    if (looks_like_tiktoken(bytes)) {
        const std::string folder = path.parent_path().string();
        return make_error(
            ErrorCode::unsupported,
            fmt::format("{}: expected a SentencePiece model, found a tiktoken vocabulary.", path.string()),
            fmt::format(
                "Take the model's tokenizer.json instead, or convert this file to one: python3 -c \"from "
                "transformers import AutoTokenizer as T; T.from_pretrained('{0}').save_pretrained('{0}')\" "
                "&& rm {1} (needs the Python packages transformers and tiktoken).",
                folder, path.string()));
    }
    return make_error(ErrorCode::bad_input,
                      fmt::format("{}: expected a SentencePiece model, found {} bytes that are none.",
                                  path.string(), bytes.size()),
                      damaged_hint);
}

/// Null where these bytes are no model.
std::unique_ptr<Processor> load(const std::string& bytes) {
    auto processor = std::make_unique<Processor>();
    const auto status = processor->LoadFromSerializedProto(bytes);
    return status.ok() && processor->GetPieceSize() > 0 ? std::move(processor) : nullptr;
}

} // namespace

Expected<std::shared_ptr<Tokenizer>> open_sentencepiece(const std::filesystem::path& path) {
    auto bytes = read_small_file(path, max_tokenizer_bytes);
    if (!bytes) {
        return tl::unexpected(bytes.error());
    }
    if (bytes->empty()) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("{}: expected a SentencePiece model, found an empty file.", path.string()),
            damaged_hint);
    }
    if (const auto fault = charsmap_fault(*bytes)) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("{}: expected a SentencePiece model, found one whose precompiled_charsmap "
                        "leads out of itself: {}.",
                        path.string(), *fault),
            damaged_hint);
    }
    auto processor = load(*bytes);
    if (!processor) {
        return refuse(path, *bytes);
    }
    auto settings = read_tokenizer_settings(path.parent_path());
    if (!settings) {
        return tl::unexpected(settings.error());
    }
    if (const auto prefix = prefix_space(*settings)) {
        *bytes = with_prefix_space(*std::move(bytes), *prefix);
        processor = load(*bytes);
    }
    std::unique_ptr<Processor> plain;
    if (!settings->added_tokens.empty()) {
        plain = load(with_prefix_space(*std::move(bytes), false));
    }
    return std::make_shared<SentencePieceTokenizer>(path, std::move(processor), std::move(plain),
                                                    *std::move(settings));
}

} // namespace quantscope
