// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/model/config.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quantscope {

/// A model's tokenizer: text to token ids and back. All methods may be called from several threads.
class Tokenizer {
  public:
    /// The tokenizer of a model folder: its tokenizer.model (SentencePiece), else its tokenizer.json (BPE).
    /// Errors: io (missing), bad_input (empty, corrupt), unsupported (a tokenizer.json with parts that are
    /// not known here).
    static Expected<std::shared_ptr<const Tokenizer>> open(const std::filesystem::path& folder);

    virtual ~Tokenizer() = default;
    Tokenizer(const Tokenizer&) = delete;
    Tokenizer& operator=(const Tokenizer&) = delete;

    /// The file that it was made from.
    const std::filesystem::path& path() const { return path_; }

    virtual int vocab_size() const = 0; ///< every id is below it
    /// Ids that ordinary text can have are below it: tokens that were added behind them are left out.
    virtual int text_vocab_size() const { return vocab_size(); }
    virtual int bos_id() const = 0; ///< -1: none
    virtual int eos_id() const = 0; ///< -1: none

    /// Every id of ordinary text must have a row in the model's embedding; the embedding may be larger
    /// (padding), or lack tokens that were added and never trained.
    /// Errors: bad_input.
    Expected<> check_fits(const ModelConfig& config) const;

    /// The ids of a text, without BOS or EOS. Errors: bad_input.
    virtual Expected<std::vector<std::int32_t>> encode(std::string_view text) const = 0;

    /// As encode(), after BOS where the model's files ask for one: what a model expects as a prompt.
    virtual Expected<std::vector<std::int32_t>> encode_prompt(std::string_view text) const = 0;

    /// The text of a sequence's ids. BOS and EOS give no text; an id beyond the vocabulary (a padded
    /// embedding row) is decoded as the unknown token, where there is one. The bytes of a character that the
    /// sequence breaks off are left out, so that the text of a longer sequence always continues the text of a
    /// shorter one.
    virtual Expected<std::string> decode(std::span<const std::int32_t> ids) const = 0;

    /// The text that `new_ids` add to a prompt: decode(prompt_ids + new_ids) minus the prompt. Decoding
    /// `new_ids` alone would lose a space before the first word. Where the tokenizer does not give the prompt
    /// back as it was (it normalizes), the difference to decode(prompt_ids) is taken instead.
    Expected<std::string> completion_text(std::string_view prompt, std::span<const std::int32_t> prompt_ids,
                                          std::span<const std::int32_t> new_ids) const;

    /// What a person should know about how the files were read; sentences.
    const std::vector<std::string>& notices() const { return notices_; }

  protected:
    explicit Tokenizer(std::filesystem::path path);
    void add_notice(std::string sentence) { notices_.push_back(std::move(sentence)); }

  private:
    std::filesystem::path path_;
    std::vector<std::string> notices_;
};

/// What ends a sequence: any id that the model's files name, else the tokenizer's. Empty: nothing does.
std::vector<int> eos_token_ids(const ModelConfig& config, const Tokenizer& tokenizer);

} // namespace quantscope
