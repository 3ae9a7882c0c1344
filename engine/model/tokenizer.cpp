// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tokenizer.h"

#include "engine/model/mapped_file.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sentencepiece_processor.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_tokenizer_bytes = std::size_t{64} << 20U;
const char* const damaged_hint =
    "The file is damaged or no SentencePiece model: download tokenizer.model again.";

tl::unexpected<Error> missing(const fs::path& path) {
    std::error_code ignored;
    if (fs::exists(path.parent_path() / "tokenizer.json", ignored)) {
        return make_error(
            ErrorCode::unsupported,
            fmt::format("{}: expected a SentencePiece tokenizer, found only tokenizer.json, which is not "
                        "supported.",
                        path.string()),
            "Models of the Llama 2, Code Llama and Mistral 7B families publish a tokenizer.model: copy it "
            "into the folder.");
    }
    return make_error(
        ErrorCode::io,
        fmt::format("{}: expected a SentencePiece tokenizer, found no such file.", path.string()),
        "Download tokenizer.model from where the model comes from into the same folder.");
}

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

Tokenizer::Tokenizer(fs::path path, std::unique_ptr<sentencepiece::SentencePieceProcessor> processor)
    : path_(std::move(path)), processor_(std::move(processor)) {}

Tokenizer::~Tokenizer() = default;

Expected<std::shared_ptr<const Tokenizer>> Tokenizer::open(const fs::path& folder) {
    const fs::path path = folder / "tokenizer.model";
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
        return missing(path);
    }
    const auto bytes = read_small_file(path, max_tokenizer_bytes);
    if (!bytes) {
        return tl::unexpected(bytes.error());
    }
    if (bytes->empty()) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("{}: expected a SentencePiece model, found an empty file.", path.string()),
            damaged_hint);
    }
    auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
    const auto status = processor->LoadFromSerializedProto(*bytes);
    if (!status.ok() || processor->GetPieceSize() <= 0) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected a SentencePiece model, found {} bytes that are none.",
                                      path.string(), bytes->size()),
                          damaged_hint);
    }
    return std::shared_ptr<const Tokenizer>(new Tokenizer(path, std::move(processor)));
}

int Tokenizer::vocab_size() const {
    return processor_->GetPieceSize();
}

int Tokenizer::bos_id() const {
    return processor_->bos_id();
}

int Tokenizer::eos_id() const {
    return processor_->eos_id();
}

Expected<> Tokenizer::check_fits(const ModelConfig& config) const {
    if (vocab_size() > config.vocab_size) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("{}: expected at most {} tokens (vocab_size in config.json), found {}.",
                        path_.string(), config.vocab_size, vocab_size()),
            "The tokenizer belongs to another model: download it from where the weights come from.");
    }
    return {};
}

Expected<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text) const {
    std::vector<int> ids;
    const auto status = processor_->Encode(text, &ids);
    if (!status.ok()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: a text of {} bytes cannot be encoded: {}.", path_.string(),
                                      text.size(), status.error_message()));
    }
    return std::vector<std::int32_t>(ids.begin(), ids.end());
}

Expected<std::vector<std::int32_t>> Tokenizer::encode_prompt(std::string_view text) const {
    auto ids = encode(text);
    if (ids && bos_id() >= 0) {
        ids->insert(ids->begin(), bos_id());
    }
    return ids;
}

std::size_t Tokenizer::unfinished_tail(std::span<const int> ids) const {
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

Expected<std::string> Tokenizer::decode(std::span<const std::int32_t> ids) const {
    std::vector<int> known(ids.begin(), ids.end());
    for (int& id : known) {
        id = id < 0 || id >= vocab_size() ? std::max(processor_->unk_id(), 0) : id;
    }
    // Tokens without text (EOS) behind an unfinished character do not finish it.
    while (!known.empty() && processor_->IsControl(known.back())) {
        known.pop_back();
    }
    known.resize(known.size() - unfinished_tail(known));
    std::string text;
    const auto status = processor_->Decode(known, &text);
    if (!status.ok()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: {} token ids cannot be decoded: {}.", path_.string(), ids.size(),
                                      status.error_message()));
    }
    return text;
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

} // namespace quantscope
