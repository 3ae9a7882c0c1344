// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/normalizer.h"

#include "engine/model/bpe/pattern_fields.h"
#include "engine/model/bpe/unicode.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace quantscope::bpe {

namespace {

constexpr const char* known_normalizers =
    "one of the normalizers Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip";

tl::unexpected<Error> too_long(std::size_t bytes, std::size_t limit) {
    return make_error(
        ErrorCode::bad_input,
        fmt::format("normalizing makes {} bytes or more of the text, at most {} are allowed.", bytes, limit));
}

/// The text without white space at the sides that are asked for.
std::string strip(const std::string& text, bool left, bool right) {
    std::string_view rest = text;
    const auto space = [](std::string_view character) { return is_white_space(decode_character(character)); };
    while (left && !rest.empty()) {
        const std::size_t length = std::max<std::size_t>(character_length(rest), 1);
        if (!space(rest.substr(0, length))) {
            break;
        }
        rest.remove_prefix(length);
    }
    while (right && !rest.empty()) {
        std::size_t begin = rest.size() - 1;
        while (begin > 0 && (static_cast<unsigned char>(rest[begin]) & 0xC0U) == 0x80U) {
            --begin;
        }
        if (!space(rest.substr(begin))) {
            break;
        }
        rest.remove_suffix(rest.size() - begin);
    }
    return std::string(rest);
}

Expected<Normalizer> parse_sequence(const Fields& fields) {
    if (auto ok = fields.only({"type", "normalizers"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto parts = fields.objects("normalizers");
    if (!parts) {
        return tl::unexpected(parts.error());
    }
    std::vector<Normalizer> steps;
    for (const Fields& part : *parts) {
        auto step = parse_normalizer(part);
        if (!step) {
            return step;
        }
        steps.push_back(*std::move(step));
    }
    return Normalizer([steps = std::move(steps)](std::string text) -> Expected<std::string> {
        const std::size_t limit = growth_limit(text.size());
        for (const Normalizer& step : steps) {
            auto next = step(std::move(text));
            if (!next) {
                return next;
            }
            text = *std::move(next);
            if (text.size() > limit) {
                return too_long(text.size(), limit);
            }
        }
        return text;
    });
}

Expected<Normalizer> parse_prepend(const Fields& fields) {
    if (auto ok = fields.only({"type", "prepend"}); !ok) {
        return tl::unexpected(ok.error());
    }
    auto prefix = fields.string("prepend");
    if (!prefix) {
        return tl::unexpected(prefix.error());
    }
    return Normalizer([prefix = *std::move(prefix)](std::string text) -> Expected<std::string> {
        return text.empty() ? text : prefix + text;
    });
}

Expected<Normalizer> parse_replace(const Fields& fields) {
    if (auto ok = fields.only({"type", "pattern", "content"}); !ok) {
        return tl::unexpected(ok.error());
    }
    auto replacement = Replacement::parse(fields);
    if (!replacement) {
        return tl::unexpected(replacement.error());
    }
    return Normalizer(
        [replacement = *std::move(replacement)](const std::string& text) { return replacement.apply(text); });
}

Expected<Normalizer> parse_strip(const Fields& fields) {
    if (auto ok = fields.only({"type", "strip_left", "strip_right"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto left = fields.boolean("strip_left", true);
    const auto right = fields.boolean("strip_right", true);
    if (!left || !right) {
        return tl::unexpected(left ? right.error() : left.error());
    }
    return Normalizer([left = *left, right = *right](const std::string& text) -> Expected<std::string> {
        return strip(text, left, right);
    });
}

} // namespace

std::size_t growth_limit(std::size_t bytes) {
    return 65536 + 64 * bytes;
}

Expected<Replacement> Replacement::parse(const Fields& fields) {
    auto regex = parse_pattern(fields);
    auto content = fields.string("content");
    if (!regex || !content) {
        return tl::unexpected(regex ? content.error() : regex.error());
    }
    return Replacement(*std::move(regex), *std::move(content));
}

Expected<std::string> Replacement::apply(const std::string& text) const {
    const auto spans = pattern_.split(text);
    if (!spans) {
        return tl::unexpected(spans.error());
    }
    const std::size_t limit = growth_limit(text.size());
    std::string replaced;
    replaced.reserve(text.size());
    for (const Span& span : *spans) {
        if (span.match) {
            replaced += content_;
        } else {
            replaced.append(text, span.begin, span.end - span.begin);
        }
        if (replaced.size() > limit) {
            return too_long(replaced.size(), limit);
        }
    }
    return replaced;
}

Expected<Normalizer> parse_normalizer(const Fields& fields) {
    const auto type = fields.type();
    if (!type) {
        return tl::unexpected(type.error());
    }
    if (*type == "Sequence") {
        return parse_sequence(fields);
    }
    if (*type == "Prepend") {
        return parse_prepend(fields);
    }
    if (*type == "Replace") {
        return parse_replace(fields);
    }
    if (*type == "Strip") {
        return parse_strip(fields);
    }
    if (*type == "Lowercase") {
        return Normalizer([](const std::string& text) -> Expected<std::string> { return lower_case(text); });
    }
    constexpr std::array<std::pair<std::string_view, NormalForm>, 4> forms = {{{"NFC", NormalForm::nfc},
                                                                               {"NFD", NormalForm::nfd},
                                                                               {"NFKC", NormalForm::nfkc},
                                                                               {"NFKD", NormalForm::nfkd}}};
    for (const auto& [name, form] : forms) {
        if (*type == name) {
            return Normalizer([form = form](const std::string& text) { return normalize(text, form); });
        }
    }
    return fields.unsupported("type", known_normalizers);
}

} // namespace quantscope::bpe
