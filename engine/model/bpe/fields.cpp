// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/fields.h"

#include "engine/json/json_fields.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope::bpe {

using nlohmann::json;

Fields::Fields(const json& object, std::string file, std::string path)
    : object_(&object), file_(std::move(file)), path_(std::move(path)) {}

const json* Fields::find(std::string_view key) const {
    if (!object_->is_object()) {
        return nullptr;
    }
    const auto found = object_->find(key);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::place(std::string_view key) const {
    return path_.empty() ? std::string(key) : key.empty() ? path_ : fmt::format("{}.{}", path_, key);
}

tl::unexpected<Error> Fields::wrong(std::string_view key, std::string_view expected) const {
    const json* const value = key.empty() ? object_ : find(key);
    return make_error(ErrorCode::bad_input,
                      fmt::format("{}: '{}': expected {}, found {}.", file_, place(key), expected,
                                  value == nullptr ? "nothing" : describe(*value)),
                      "The file is damaged, or of a newer format: download it again.");
}

tl::unexpected<Error> Fields::unsupported(std::string_view key, std::string_view expected,
                                          std::string_view found) const {
    const json* const value = find(key);
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: '{}': expected {}, found {}.", file_, place(key), expected,
                                  !found.empty()     ? std::string(found)
                                  : value == nullptr ? "nothing"
                                                     : describe(*value)),
                      "Quantscope refuses what it does not know here, because the model would be given other "
                      "ids without a word. Choose another model, or a folder with a tokenizer.model.");
}

Expected<std::string> Fields::type() const {
    if (!object_->is_object()) {
        return wrong("", "an object with a type");
    }
    return string("type");
}

Expected<> Fields::only(std::initializer_list<std::string_view> known) const {
    if (!object_->is_object()) {
        return wrong("", "an object");
    }
    for (const auto& item : object_->items()) {
        if (std::find(known.begin(), known.end(), item.key()) == known.end() && !item.value().is_null()) {
            return unsupported(item.key(), fmt::format("one of the members {}", fmt::join(known, ", ")),
                               fmt::format("this one ({})", describe(item.value())));
        }
    }
    return {};
}

Expected<bool> Fields::boolean(std::string_view key, bool absent) const {
    const json* const value = find(key);
    if (value == nullptr) {
        return absent;
    }
    if (!value->is_boolean()) {
        return wrong(key, "true or false");
    }
    return value->get<bool>();
}

Expected<std::string> Fields::string(std::string_view key, std::optional<std::string> absent) const {
    const json* const value = find(key);
    if (value == nullptr && absent) {
        return *std::move(absent);
    }
    if (value == nullptr || !value->is_string()) {
        return wrong(key, "a string");
    }
    return value->get<std::string>();
}

Expected<std::int64_t> Fields::integer(std::string_view key, std::int64_t min, std::int64_t max) const {
    const json* const value = find(key);
    const bool fits =
        value != nullptr && value->is_number_integer() &&
        (!value->is_number_unsigned() ||
         value->get<std::uint64_t>() <= static_cast<std::uint64_t>(std::max<std::int64_t>(max, 0))) &&
        value->get<std::int64_t>() >= min && value->get<std::int64_t>() <= max;
    if (!fits) {
        return wrong(key, fmt::format("an integer from {} to {}", min, max));
    }
    return value->get<std::int64_t>();
}

Expected<Fields> Fields::object(std::string_view key) const {
    const json* const value = find(key);
    if (value == nullptr || !value->is_object()) {
        return wrong(key, "an object");
    }
    return Fields(*value, file_, place(key));
}

Expected<std::vector<Fields>> Fields::objects(std::string_view key) const {
    const json* const value = find(key);
    if (value == nullptr || !value->is_array()) {
        return wrong(key, "a list");
    }
    std::vector<Fields> list;
    list.reserve(value->size());
    for (std::size_t i = 0; i < value->size(); ++i) {
        list.emplace_back((*value)[i], file_, fmt::format("{}[{}]", place(key), i));
        if (!(*value)[i].is_object()) {
            return list.back().wrong("", "an object");
        }
    }
    return list;
}

} // namespace quantscope::bpe
