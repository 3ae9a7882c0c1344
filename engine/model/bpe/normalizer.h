// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/bpe/fields.h"
#include "engine/model/bpe/regex.h"

#include <functional>
#include <string>
#include <utility>

namespace quantscope::bpe {

/// What is done to a text before it is split. Takes and gives valid UTF-8; errors are bad_input (too many
/// steps, a text that grows without bounds) without a place.
using Normalizer = std::function<Expected<std::string>(std::string)>;

/// The "normalizer" of a tokenizer.json: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip.
/// Errors: bad_input, unsupported, each with its place.
Expected<Normalizer> parse_normalizer(const Fields& fields);

/// Replaces every match. Errors: as Normalizer.
class Replacement {
  public:
    /// The members pattern ({"String": ...} or {"Regex": ...}) and content of a component.
    static Expected<Replacement> parse(const Fields& fields);
    Expected<std::string> apply(const std::string& text) const;

  private:
    explicit Replacement(Regex pattern, std::string content)
        : pattern_(std::move(pattern)), content_(std::move(content)) {}

    Regex pattern_;
    std::string content_;
};

/// The most bytes that a text of `bytes` may become: more than any normal form makes of it.
std::size_t growth_limit(std::size_t bytes);

} // namespace quantscope::bpe
