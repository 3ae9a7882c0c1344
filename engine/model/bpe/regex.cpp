// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/model/bpe/regex.h"

#include "engine/model/bpe/pattern.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <pcre2.h>

namespace quantscope::bpe {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_pattern_bytes = 16384;
constexpr std::uint32_t max_nesting = 64;
constexpr std::uint32_t max_steps = 10'000'000; ///< of one match, PCRE2's own default
constexpr std::uint32_t max_heap_kib = 65536;
/// A search is begun anew this often, so that one that fails slowly everywhere is noticed.
constexpr std::size_t starts_per_call = 512;
constexpr std::chrono::seconds max_time{10};
constexpr std::size_t bytes_per_second = 100'000; ///< slower than this beyond max_time is given up

using MatchContext = std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)>;
using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;

std::size_t next_character(std::string_view text, std::size_t at) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) {
        ++at;
    }
    return at;
}

/// One pass over one text.
class Search {
  public:
    Search(const pcre2_code* code, std::string_view text)
        : code_(code), text_(text), context_(pcre2_match_context_create(nullptr), pcre2_match_context_free),
          data_(pcre2_match_data_create_from_pattern(code, nullptr), pcre2_match_data_free),
          deadline_(Clock::now() + max_time + std::chrono::seconds(text.size() / bytes_per_second)) {
        if (context_) {
            pcre2_set_match_limit(context_.get(), max_steps);
            pcre2_set_heap_limit(context_.get(), max_heap_kib);
        }
    }

    struct Found {
        std::size_t begin;
        std::size_t end;
    };
    /// The first match at `from` or behind it, or none. Errors: how the match failed, in words.
    tl::expected<std::optional<Found>, std::string> next(std::size_t from);

  private:
    const pcre2_code* code_;
    std::string_view text_;
    MatchContext context_;
    MatchData data_;
    Clock::time_point deadline_;
    unsigned calls_ = 0;
};

tl::expected<std::optional<Search::Found>, std::string> Search::next(std::size_t from) {
    if (!context_ || !data_) {
        return tl::unexpected(std::string("memory ran out"));
    }
    while (from <= text_.size()) {
        if (++calls_ % 64 == 0 && Clock::now() > deadline_) {
            return tl::unexpected(fmt::format("it is still matching after {} seconds", max_time.count()));
        }
        std::size_t last_start = std::min(from + starts_per_call, text_.size());
        while (last_start < text_.size() &&
               (static_cast<unsigned char>(text_[last_start]) & 0xC0U) == 0x80U) {
            ++last_start;
        }
        pcre2_set_offset_limit(context_.get(), last_start);
        const int result = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), from,
                                       PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
        if (result >= 0) {
            const PCRE2_SIZE* const offsets = pcre2_get_ovector_pointer(data_.get());
            return Found{offsets[0], offsets[1]};
        }
        if (result != PCRE2_ERROR_NOMATCH) {
            PCRE2_UCHAR message[128] = {};
            pcre2_get_error_message(result, message, sizeof message);
            return tl::unexpected(std::string(reinterpret_cast<const char*>(message)));
        }
        // Every failed call counts towards the clock, because it may have been as slow as can be.
        calls_ |= 63U;
        if (last_start == text_.size()) {
            break;
        }
        from = next_character(text_, last_start);
    }
    return std::nullopt;
}

} // namespace

Expected<Regex> Regex::make(const std::string& pcre2, std::string_view as_written) {
    using CompileContext = std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)>;
    const CompileContext context(pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
    if (!context) {
        return make_error(ErrorCode::out_of_memory, "memory ran out");
    }
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context.get(), max_nesting);
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pcre2.data()), pcre2.size(),
                                           PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_USE_OFFSET_LIMIT |
                                               PCRE2_NEVER_BACKSLASH_C,
                                           &error, &offset, context.get());
    if (code == nullptr) {
        PCRE2_UCHAR message[128] = {};
        pcre2_get_error_message(error, message, sizeof message);
        return make_error(ErrorCode::bad_input,
                          fmt::format("no regular expression ({})", reinterpret_cast<const char*>(message)));
    }
    // Where there is no just-in-time compiler, pcre2_match() interprets.
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    Regex regex;
    regex.code_ = std::shared_ptr<const pcre2_code>(
        code, [](const pcre2_code* owned) { pcre2_code_free(const_cast<pcre2_code*>(owned)); });
    regex.pattern_ = as_written;
    return regex;
}

Expected<Regex> Regex::compile(std::string_view pattern) {
    if (pattern.size() > max_pattern_bytes) {
        return make_error(ErrorCode::bad_input, fmt::format("a pattern of {} bytes (at most {} are read)",
                                                            pattern.size(), max_pattern_bytes));
    }
    const auto pcre2 = to_pcre2(pattern);
    if (!pcre2) {
        return make_error(ErrorCode::unsupported, "a pattern with " + pcre2.error().message);
    }
    return make(*pcre2, pattern);
}

Expected<Regex> Regex::literal(std::string_view text) {
    if (text.size() > max_pattern_bytes) {
        return make_error(ErrorCode::bad_input, fmt::format("a text of {} bytes (at most {} are read)",
                                                            text.size(), max_pattern_bytes));
    }
    std::string escaped;
    for (const char c : text) {
        const bool plain = static_cast<unsigned char>(c) >= 0x80U || (c >= '0' && c <= '9') ||
                           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        escaped += plain ? std::string(1, c) : fmt::format("\\x{{{:x}}}", static_cast<unsigned char>(c));
    }
    return make(escaped, text);
}

Expected<std::vector<Span>> Regex::split(std::string_view text) const {
    std::vector<Span> spans;
    Search search(code_.get(), text);
    std::size_t covered = 0;
    std::size_t from = 0;
    std::size_t last_end = std::string_view::npos;
    while (from <= text.size()) {
        const auto found = search.next(from);
        if (!found) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("the pattern {} cannot be matched on a text of {} bytes: {}.",
                                          pattern_.size() > 60 ? pattern_.substr(0, 57) + "..." : pattern_,
                                          text.size(), found.error()));
        }
        if (!*found) {
            break;
        }
        const auto [begin, end] = **found;
        if (begin == end && last_end == end) { // an empty match behind another is none
            from = next_character(text, from);
            last_end = std::string_view::npos;
            continue;
        }
        if (covered < begin) {
            spans.push_back({covered, begin, false});
        }
        spans.push_back({begin, end, true});
        covered = end;
        from = end;
        last_end = end;
    }
    if (covered < text.size()) {
        spans.push_back({covered, text.size(), false});
    }
    return spans;
}

} // namespace quantscope::bpe
