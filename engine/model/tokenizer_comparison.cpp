// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tokenizer_comparison.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope {

namespace {

/// What the makers of a file disagree about: a space at the start, runs of white space, other scripts, bytes.
constexpr std::array<const char*, 6> probes = {
    "def add(a, b):\n    \"\"\"Return the sum of 12 and 3456.\"\"\"\n\treturn a + b  # it's done\n\n\n",
    " leading space",
    "\n\n  x\r\n",
    "caf\u00e9 cafe\u0301 \u65e5\u672c\u8a9e \u0440\u0443\u0441 \U0001F600 \ufb01",
    "for i in range(10**6): x[i] -= {'key': \"value\"}\n        pass",
    "   "};

constexpr const char* unknown = " \u2047 ";

std::string first(const std::vector<std::int32_t>& ids, std::size_t from) {
    const std::size_t end = std::min(ids.size(), from + 4);
    return fmt::format("{}{}",
                       fmt::join(ids.begin() + static_cast<std::ptrdiff_t>(std::min(from, ids.size())),
                                 ids.begin() + static_cast<std::ptrdiff_t>(end), " "),
                       end < ids.size() ? " …" : "");
}

} // namespace

std::string difference_of(const Tokenizer& used, const Tokenizer& other) {
    for (const char* const text : probes) {
        const auto ids = used.encode(text);
        const auto others = other.encode(text);
        if (!ids || !others || *ids == *others) {
            continue;
        }
        std::size_t at = 0;
        while (at < ids->size() && at < others->size() && (*ids)[at] == (*others)[at]) {
            ++at;
        }
        return fmt::format("the ids of one and the same text differ from place {} on ({} against {})", at + 1,
                           first(*ids, at), first(*others, at));
    }
    if (used.text_vocab_size() != other.text_vocab_size()) {
        return fmt::format("one has {} tokens, the other {}", used.text_vocab_size(),
                           other.text_vocab_size());
    }
    const auto prefix = used.encode("x"); // the first token of a text may lose a space
    int different = 0;
    for (std::int32_t id = 0; prefix && id < used.text_vocab_size(); ++id) {
        auto ids = *prefix;
        ids.push_back(id);
        const auto text = used.decode(ids);
        const auto others = other.decode(ids);
        // What is shown for an unknown token is each library's own.
        different += text && others && *text != *others && !text->ends_with(unknown) ? 1 : 0;
    }
    return different == 0 ? std::string() : fmt::format("{} ids stand for other text", different);
}

} // namespace quantscope
