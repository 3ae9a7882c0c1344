// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/line_limit.h"

#include "engine/protocol/messages.h"

namespace quantscope::protocol {
namespace {

constexpr std::size_t kShortText = 1024; ///< names and identifiers are never cut
constexpr const char* kCutNote = "\n[cut here: a protocol line holds at most 1 MiB]";

/// The longest text anywhere in `value`. Recursion depth is that of our own messages: three.
std::string* longest_text(OrderedJson& value) {
    if (value.is_string()) {
        return value.get_ptr<std::string*>();
    }
    std::string* longest = nullptr;
    if (value.is_structured()) {
        for (OrderedJson& child : value) {
            std::string* text = longest_text(child);
            if (text != nullptr && (longest == nullptr || text->size() > longest->size())) {
                longest = text;
            }
        }
    }
    return longest;
}

void cut_in_half(std::string& text) {
    std::size_t keep = text.size() / 2;
    while (keep > 0 && (static_cast<unsigned char>(text[keep]) & 0xC0U) == 0x80U) {
        --keep; // not inside a character
    }
    text.resize(keep);
    text += kCutNote;
}

} // namespace

std::string to_line(const OrderedJson& message) {
    std::string line = message.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    line += '\n';
    return line;
}

std::optional<std::string> to_fitting_line(OrderedJson message) {
    for (;;) {
        std::string line = to_line(message);
        if (line.size() <= kMaxLineBytes) {
            return line;
        }
        std::string* text = longest_text(message);
        if (text == nullptr || text->size() < kShortText) {
            return std::nullopt;
        }
        cut_in_half(*text);
    }
}

} // namespace quantscope::protocol
