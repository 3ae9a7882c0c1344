// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/pre_tokenizer.h"

#include "engine/model/bpe/normalizer.h"
#include "engine/model/bpe/pattern_fields.h"
#include "engine/model/bpe/split_behavior.h"
#include "engine/model/bpe/unicode.h"

#include <utility>

#include <fmt/format.h>

namespace quantscope::bpe {

namespace {

constexpr const char* known_pre_tokenizers =
    "one of the pre-tokenizers Sequence, Split, ByteLevel, Metaspace, Digits, Whitespace, WhitespaceSplit, "
    "Punctuation";
constexpr const char* behaviors = "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous";
/// Runs of what a word is made of to Rust's regular expressions (is_word()), and of other characters.
constexpr const char* rust_words =
    R"([\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}]+|)"
    R"([^\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}\s]+)";
/// Words as GPT-2 takes them.
constexpr const char* gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::size_t total_bytes(const std::vector<Piece>& pieces) {
    std::size_t bytes = 0;
    for (const Piece& piece : pieces) {
        bytes += piece.text.size();
    }
    return bytes;
}

Expected<PreTokenizer> parse_sequence(const Fields& fields) {
    if (auto ok = fields.only({"type", "pretokenizers"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto parts = fields.objects("pretokenizers");
    if (!parts) {
        return tl::unexpected(parts.error());
    }
    std::vector<PreTokenizer> steps;
    for (const Fields& part : *parts) {
        auto step = parse_pre_tokenizer(part);
        if (!step) {
            return step;
        }
        steps.push_back(*std::move(step));
    }
    return PreTokenizer([steps =
                             std::move(steps)](std::vector<Piece> pieces) -> Expected<std::vector<Piece>> {
        const std::size_t limit = growth_limit(total_bytes(pieces));
        for (const PreTokenizer& step : steps) {
            auto next = step(std::move(pieces));
            if (!next) {
                return next;
            }
            pieces = *std::move(next);
            if (total_bytes(pieces) > limit) {
                return make_error(ErrorCode::bad_input,
                                  fmt::format("the pre-tokenizers make {} bytes of the text, at most {} are "
                                              "allowed.",
                                              total_bytes(pieces), limit));
            }
        }
        return pieces;
    });
}

/// A pre-tokenizer that splits by a pattern of ours.
Expected<PreTokenizer> splitter(std::string_view pattern, SplitBehavior behavior, bool invert = false) {
    auto regex = Regex::compile(pattern);
    if (!regex) {
        return make_error(ErrorCode::internal, regex.error().message);
    }
    return PreTokenizer([regex = *std::move(regex), behavior, invert](const std::vector<Piece>& pieces) {
        return split_pieces(pieces, regex, behavior, invert);
    });
}

Expected<SplitBehavior> parse_behavior(const Fields& fields, const char* absent) {
    const auto name = fields.string("behavior", absent);
    if (!name) {
        return tl::unexpected(name.error());
    }
    const auto behavior = split_behavior(*name);
    if (!behavior) {
        return fields.unsupported("behavior", behaviors);
    }
    return *behavior;
}

Expected<PreTokenizer> parse_split(const Fields& fields) {
    if (auto ok = fields.only({"type", "pattern", "behavior", "invert"}); !ok) {
        return tl::unexpected(ok.error());
    }
    auto regex = parse_pattern(fields);
    if (!regex) {
        return tl::unexpected(regex.error());
    }
    const auto behavior = parse_behavior(fields, "");
    const auto invert = fields.boolean("invert", false);
    if (!behavior || !invert) {
        return tl::unexpected(behavior ? invert.error() : behavior.error());
    }
    return PreTokenizer([regex = *std::move(regex), behavior = *behavior,
                         invert = *invert](const std::vector<Piece>& pieces) {
        return split_pieces(pieces, regex, behavior, invert);
    });
}

Expected<PreTokenizer> parse_byte_level(const Fields& fields) {
    if (auto ok = fields.only({"type", "add_prefix_space", "trim_offsets", "use_regex"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto prefix = fields.boolean("add_prefix_space", true);
    const auto use_regex = fields.boolean("use_regex", true);
    if (!prefix || !use_regex) {
        return tl::unexpected(prefix ? use_regex.error() : prefix.error());
    }
    auto words = Regex::compile(gpt2_pattern);
    if (!words) {
        return make_error(ErrorCode::internal, words.error().message);
    }
    return PreTokenizer([prefix = *prefix, use_regex = *use_regex, words = *std::move(words)](
                            std::vector<Piece> pieces) -> Expected<std::vector<Piece>> {
        for (Piece& piece : pieces) {
            if (prefix && !piece.text.starts_with(' ')) {
                piece.text.insert(0, 1, ' ');
            }
        }
        if (use_regex) {
            auto split = split_pieces(pieces, words, SplitBehavior::isolated);
            if (!split) {
                return split;
            }
            pieces = *std::move(split);
        }
        for (Piece& piece : pieces) {
            std::string characters;
            for (const char c : piece.text) {
                characters += byte_characters()[static_cast<unsigned char>(c)];
            }
            piece.text = std::move(characters);
        }
        return pieces;
    });
}

enum class Prefix { always, first, never };

Expected<Prefix> parse_prefix(const Fields& fields) {
    const auto scheme = fields.string("prepend_scheme", "always");
    const auto old = fields.boolean("add_prefix_space", true);
    if (!scheme || !old) {
        return tl::unexpected(scheme ? old.error() : scheme.error());
    }
    if (*scheme != "always" && *scheme != "first" && *scheme != "never") {
        return fields.unsupported("prepend_scheme", "always, first or never");
    }
    if (!*old && fields.find("prepend_scheme") != nullptr && *scheme != "never") {
        return fields.wrong("add_prefix_space",
                            fmt::format("nothing that contradicts the scheme {}", *scheme));
    }
    return !*old || *scheme == "never" ? Prefix::never : *scheme == "first" ? Prefix::first : Prefix::always;
}

std::string with_replaced_spaces(const std::string& text, const std::string& replacement) {
    std::string replaced;
    replaced.reserve(text.size() + text.size() / 2);
    for (const char c : text) {
        if (c == ' ') {
            replaced += replacement;
        } else {
            replaced += c;
        }
    }
    return replaced;
}

Expected<PreTokenizer> parse_metaspace(const Fields& fields) {
    if (auto ok =
            fields.only({"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
        !ok) {
        return tl::unexpected(ok.error());
    }
    const auto replacement = fields.string("replacement", "\xE2\x96\x81");
    if (!replacement) {
        return tl::unexpected(replacement.error());
    }
    if (replacement->empty() || character_length(*replacement) != replacement->size()) {
        return fields.wrong("replacement", "one character");
    }
    const auto prefix = parse_prefix(fields);
    const auto split = fields.boolean("split", true);
    if (!prefix || !split) {
        return tl::unexpected(prefix ? split.error() : prefix.error());
    }
    auto regex = Regex::literal(*replacement);
    if (!regex) {
        return make_error(ErrorCode::internal, regex.error().message);
    }
    return PreTokenizer([=, replacement = *replacement, prefix = *prefix, split = *split,
                         regex = *regex](std::vector<Piece> pieces) -> Expected<std::vector<Piece>> {
        for (Piece& piece : pieces) {
            piece.text = with_replaced_spaces(piece.text, replacement);
            const bool wanted = prefix == Prefix::always || (prefix == Prefix::first && piece.starts_text);
            if (wanted && !piece.text.starts_with(replacement)) {
                piece.text.insert(0, replacement);
            }
        }
        if (!split) {
            return pieces;
        }
        return split_pieces(pieces, regex, SplitBehavior::merged_with_next);
    });
}

Expected<PreTokenizer> parse_digits(const Fields& fields) {
    if (auto ok = fields.only({"type", "individual_digits"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto individual = fields.boolean("individual_digits", false);
    if (!individual) {
        return tl::unexpected(individual.error());
    }
    return splitter(R"(\p{N})", *individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
}

Expected<PreTokenizer> parse_punctuation(const Fields& fields) {
    if (auto ok = fields.only({"type", "behavior"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto behavior = parse_behavior(fields, "Isolated");
    if (!behavior) {
        return tl::unexpected(behavior.error());
    }
    return splitter(R"([\p{P}$+<=>^`|~])", *behavior);
}

} // namespace

PreTokenizer sentencepiece_prefix() {
    return [](std::vector<Piece> pieces) -> Expected<std::vector<Piece>> {
        for (Piece& piece : pieces) {
            piece.text = "\xE2\x96\x81" + with_replaced_spaces(piece.text, "\xE2\x96\x81");
        }
        return pieces;
    };
}

Expected<PreTokenizer> parse_pre_tokenizer(const Fields& fields) {
    const auto type = fields.type();
    if (!type) {
        return tl::unexpected(type.error());
    }
    if (*type == "Sequence") {
        return parse_sequence(fields);
    }
    if (*type == "Split") {
        return parse_split(fields);
    }
    if (*type == "ByteLevel") {
        return parse_byte_level(fields);
    }
    if (*type == "Metaspace") {
        return parse_metaspace(fields);
    }
    if (*type == "Digits") {
        return parse_digits(fields);
    }
    if (*type == "Punctuation") {
        return parse_punctuation(fields);
    }
    if (*type == "Whitespace" || *type == "WhitespaceSplit") {
        if (auto ok = fields.only({"type"}); !ok) {
            return tl::unexpected(ok.error());
        }
        return *type == "Whitespace" ? splitter(rust_words, SplitBehavior::removed, true)
                                     : splitter(R"(\s)", SplitBehavior::removed);
    }
    return fields.unsupported("type", known_pre_tokenizers);
}

} // namespace quantscope::bpe
