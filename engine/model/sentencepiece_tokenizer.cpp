// SPDX-License-Identifier: Apache-2.0
#include "engine/model/sentencepiece_tokenizer.h"

#include "engine/model/mapped_file.h"

#include <algorithm>
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

class SentencePieceTokenizer final : public Tokenizer {
  public:
    SentencePieceTokenizer(std::filesystem::path path,
                           std::unique_ptr<sentencepiece::SentencePieceProcessor> processor)
        : Tokenizer(std::move(path)), processor_(std::move(processor)) {}

    int vocab_size() const override { return processor_->GetPieceSize(); }
    int bos_id() const override { return processor_->bos_id(); }
    int eos_id() const override { return processor_->eos_id(); }

    Expected<std::vector<std::int32_t>> encode(std::string_view text) const override;
    Expected<std::vector<std::int32_t>> encode_prompt(std::string_view text) const override;
    Expected<std::string> decode(std::span<const std::int32_t> ids) const override;

  private:
    std::size_t unfinished_tail(std::span<const int> ids) const;

    std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

Expected<std::vector<std::int32_t>> SentencePieceTokenizer::encode(std::string_view text) const {
    std::vector<int> ids;
    const auto status = processor_->Encode(text, &ids);
    if (!status.ok()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: a text of {} bytes cannot be encoded: {}.", path().string(),
                                      text.size(), status.error_message()));
    }
    return std::vector<std::int32_t>(ids.begin(), ids.end());
}

Expected<std::vector<std::int32_t>> SentencePieceTokenizer::encode_prompt(std::string_view text) const {
    auto ids = encode(text);
    if (ids && bos_id() >= 0) {
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

Expected<std::string> SentencePieceTokenizer::decode(std::span<const std::int32_t> ids) const {
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
                          fmt::format("{}: {} token ids cannot be decoded: {}.", path().string(), ids.size(),
                                      status.error_message()));
    }
    return text;
}

} // namespace

Expected<std::shared_ptr<const Tokenizer>> open_sentencepiece(const std::filesystem::path& path) {
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
    return std::make_shared<const SentencePieceTokenizer>(path, std::move(processor));
}

} // namespace quantscope
