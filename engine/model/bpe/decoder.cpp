// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/decoder.h"

#include "engine/model/bpe/normalizer.h"
#include "engine/model/bpe/unicode.h"

#include <charconv>
#include <optional>
#include <utility>

namespace quantscope::bpe {

namespace {

constexpr const char* known_decoders =
    "one of the decoders Sequence, ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip";
constexpr const char* broken_character = "\xEF\xBF\xBD";

using Tokens = std::vector<std::string>;

Tokens fuse(const Tokens& tokens) {
    std::string all;
    for (const std::string& token : tokens) {
        all += token;
    }
    return {std::move(all)};
}

/// The bytes that a token of GPT-2's alphabet spells; what is none of it (an added token) stands for itself.
std::string spelled_bytes(std::string_view token) {
    std::string bytes;
    for (std::string_view rest = token; !rest.empty();) {
        const std::size_t length = std::max<std::size_t>(character_length(rest), 1);
        const int byte = byte_of_character(decode_character(rest.substr(0, length)));
        if (byte < 0) {
            return std::string(token);
        }
        bytes += static_cast<char>(byte);
        rest.remove_prefix(length);
    }
    return bytes;
}

Expected<Tokens> byte_level(const Tokens& tokens) {
    std::string bytes;
    for (const std::string& token : tokens) {
        bytes += spelled_bytes(token);
    }
    bytes.resize(bytes.size() - unfinished_tail(bytes));
    return Tokens{to_valid_utf8(bytes)};
}

/// The byte of a token "<0x0A>".
std::optional<char> fallback_byte(std::string_view token) {
    unsigned value = 0;
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
    return error == std::errc() && end == token.data() + 5 ? std::optional(static_cast<char>(value))
                                                           : std::nullopt;
}

/// Joins runs of byte tokens to characters. A byte that belongs to none becomes U+FFFD, alone: the tokenizers
/// library gives up the whole run, which would take back text that was already there.
Expected<Tokens> byte_fallback(const Tokens& tokens) {
    Tokens result;
    std::string run;
    const auto flush = [&] {
        std::string text;
        for (std::string_view rest = run; !rest.empty();) {
            const std::size_t length = character_length(rest);
            text += length > 0 ? rest.substr(0, length) : std::string_view(broken_character);
            rest.remove_prefix(std::max<std::size_t>(length, 1));
        }
        if (!text.empty()) {
            result.push_back(std::move(text));
        }
        run.clear();
    };
    for (const std::string& token : tokens) {
        if (const auto byte = fallback_byte(token)) {
            run += *byte;
        } else {
            flush();
            result.push_back(token);
        }
    }
    run.resize(run.size() - unfinished_tail(run));
    flush();
    return result;
}

Expected<Decoder> parse_sequence(const Fields& fields) {
    if (auto ok = fields.only({"type", "decoders"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto parts = fields.objects("decoders");
    if (!parts) {
        return tl::unexpected(parts.error());
    }
    std::vector<Decoder> steps;
    for (const Fields& part : *parts) {
        auto step = parse_decoder(part);
        if (!step) {
            return step;
        }
        steps.push_back(*std::move(step));
    }
    return Decoder([steps = std::move(steps)](Tokens tokens) -> Expected<Tokens> {
        std::size_t bytes = 0;
        for (const std::string& token : tokens) {
            bytes += token.size();
        }
        const std::size_t limit = growth_limit(bytes);
        for (const Decoder& step : steps) {
            auto next = step(std::move(tokens));
            if (!next) {
                return next;
            }
            tokens = *std::move(next);
            bytes = 0;
            for (const std::string& token : tokens) {
                bytes += token.size();
            }
            if (bytes > limit) {
                return make_error(ErrorCode::bad_input,
                                  "the decoders make a text that grows without bounds.");
            }
        }
        return tokens;
    });
}

Expected<Decoder> parse_replace(const Fields& fields) {
    if (auto ok = fields.only({"type", "pattern", "content"}); !ok) {
        return tl::unexpected(ok.error());
    }
    auto replacement = Replacement::parse(fields);
    if (!replacement) {
        return tl::unexpected(replacement.error());
    }
    return Decoder([replacement = *std::move(replacement)](Tokens tokens) -> Expected<Tokens> {
        for (std::string& token : tokens) {
            auto replaced = replacement.apply(token);
            if (!replaced) {
                return tl::unexpected(replaced.error());
            }
            token = *std::move(replaced);
        }
        return tokens;
    });
}

Expected<Decoder> parse_strip(const Fields& fields) {
    if (auto ok = fields.only({"type", "content", "start", "stop"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto content = fields.string("content");
    const auto start = fields.integer("start", 0, 1 << 20);
    const auto stop = fields.integer("stop", 0, 1 << 20);
    if (!content || !start || !stop) {
        return tl::unexpected(!content ? content.error() : start ? stop.error() : start.error());
    }
    if (content->empty() || character_length(*content) != content->size()) {
        return fields.wrong("content", "one character");
    }
    if (*stop != 0) {
        return fields.unsupported("stop", "0, because text that was shown must not be taken back");
    }
    return Decoder([content = *content, start = *start](Tokens tokens) -> Expected<Tokens> {
        for (std::string& token : tokens) {
            std::size_t begin = 0;
            for (std::int64_t i = 0; i < start && token.compare(begin, content.size(), content) == 0; ++i) {
                begin += content.size();
            }
            token.erase(0, begin);
        }
        return tokens;
    });
}

Expected<Decoder> parse_metaspace(const Fields& fields) {
    if (auto ok =
            fields.only({"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
        !ok) {
        return tl::unexpected(ok.error());
    }
    const auto replacement = fields.string("replacement", "\xE2\x96\x81");
    const auto scheme = fields.string("prepend_scheme", "always");
    const auto prefix = fields.boolean("add_prefix_space", true);
    if (!replacement || !scheme || !prefix) {
        return tl::unexpected(!replacement ? replacement.error() : scheme ? prefix.error() : scheme.error());
    }
    if (replacement->empty() || character_length(*replacement) != replacement->size()) {
        return fields.wrong("replacement", "one character");
    }
    return Decoder([replacement = *replacement,
                    drop = *prefix && *scheme != "never"](const Tokens& tokens) -> Expected<Tokens> {
        Tokens result;
        for (const std::string& token : tokens) {
            std::string text;
            for (std::size_t at = 0; at < token.size();) {
                if (token.compare(at, replacement.size(), replacement) == 0) {
                    text += drop && result.empty() ? "" : " ";
                    at += replacement.size();
                } else {
                    text += token[at++];
                }
            }
            result.push_back(std::move(text));
        }
        return result;
    });
}

} // namespace

Expected<Decoder> parse_decoder(const Fields& fields) {
    const auto type = fields.type();
    if (!type) {
        return tl::unexpected(type.error());
    }
    if (*type == "Sequence") {
        return parse_sequence(fields);
    }
    if (*type == "Replace") {
        return parse_replace(fields);
    }
    if (*type == "Strip") {
        return parse_strip(fields);
    }
    if (*type == "Metaspace") {
        return parse_metaspace(fields);
    }
    if (*type == "ByteLevel") {
        if (auto ok = fields.only({"type", "add_prefix_space", "trim_offsets", "use_regex"}); !ok) {
            return tl::unexpected(ok.error());
        }
        return Decoder(byte_level);
    }
    if (*type == "ByteFallback" || *type == "Fuse") {
        if (auto ok = fields.only({"type"}); !ok) {
            return tl::unexpected(ok.error());
        }
        return *type == "Fuse"
                   ? Decoder([](const Tokens& tokens) -> Expected<Tokens> { return fuse(tokens); })
                   : Decoder(byte_fallback);
    }
    return fields.unsupported("type", known_decoders);
}

} // namespace quantscope::bpe
