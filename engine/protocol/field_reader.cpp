// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/field_reader.h"

#include <algorithm>
#include <fmt/format.h>

namespace quantscope::protocol {
namespace {

/// What a message shows of a wrong value: enough to recognise it, never a page. Lists and objects are only
/// named: dump() recurses, and hostile nesting would exhaust the stack.
std::string shown(const Json& value) {
    if (value.is_structured()) {
        return value.is_array() ? "a list" : "an object";
    }
    std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (text.size() > 60) {
        text = text.substr(0, 57) + "...";
    }
    return text;
}

} // namespace

FieldReader::FieldReader(const Json& object, std::string what) : object_(object), what_(std::move(what)) {
    if (!object_.is_object()) {
        problem_ = fmt::format("{}: expected an object, found {}.", what_, shown(object_));
    }
}

void FieldReader::fail(const std::string& key, const std::string& expected, const Json* found) {
    if (problem_.empty()) {
        problem_ = fmt::format("{}: expected {} in \"{}\", found {}.", what_, expected, key,
                               found == nullptr ? "nothing" : shown(*found));
    }
}

Expected<> FieldReader::status() const {
    if (problem_.empty()) {
        return {};
    }
    return make_error(ErrorCode::bad_input, problem_);
}

const Json* FieldReader::find(const char* key, Need need, const char* expected) {
    if (!problem_.empty()) {
        return nullptr;
    }
    const auto it = object_.find(key);
    if (it != object_.end() && !(it->is_null() && need == Need::optional)) {
        return &*it;
    }
    if (need == Need::required) {
        fail(key, expected);
    }
    return nullptr;
}

void FieldReader::adopt(const FieldReader& inner) {
    if (problem_.empty()) {
        problem_ = inner.problem_;
    }
}

void FieldReader::text(const char* key, std::string& out, Need need) {
    const Json* value = find(key, need, "text");
    if (value == nullptr) {
        return;
    }
    if (!value->is_string()) {
        return fail(key, "text", value);
    }
    out = value->get_ref<const std::string&>();
}

void FieldReader::text_of(const char* key, std::string& out, std::initializer_list<const char*> allowed,
                          Need need) {
    std::string value = out;
    text(key, value, need);
    if (!problem_.empty()) {
        return;
    }
    if (value == out && need == Need::optional) {
        return;
    }
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
        const Json found = value;
        return fail(key, fmt::format("one of {}", fmt::join(allowed, ", ")), &found);
    }
    out = std::move(value);
}

void FieldReader::boolean(const char* key, bool& out, Need need) {
    const Json* value = find(key, need, "true or false");
    if (value == nullptr) {
        return;
    }
    if (!value->is_boolean()) {
        return fail(key, "true or false", value);
    }
    out = value->get<bool>();
}

void FieldReader::integer64(const char* key, std::int64_t& out, Need need) {
    const Json* value = find(key, need, "a whole number");
    if (value == nullptr) {
        return;
    }
    const bool too_large =
        value->is_number_unsigned() &&
        value->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!value->is_number_integer() || too_large) {
        return fail(key, "a whole number", value);
    }
    out = value->get<std::int64_t>();
}

void FieldReader::integer(const char* key, int& out, std::int64_t low, std::int64_t high, Need need) {
    std::int64_t value = out;
    integer64(key, value, need);
    if (!problem_.empty()) {
        return;
    }
    if (value < low || value > high) {
        const Json found = value;
        return fail(key, fmt::format("a whole number from {} to {}", low, high), &found);
    }
    out = static_cast<int>(value);
}

void FieldReader::unsigned64(const char* key, std::uint64_t& out, Need need) {
    const Json* value = find(key, need, "a whole number of at least 0");
    if (value == nullptr) {
        return;
    }
    const bool negative =
        value->is_number_integer() && !value->is_number_unsigned() && value->get<std::int64_t>() < 0;
    if (!value->is_number_integer() || negative) {
        return fail(key, "a whole number of at least 0", value);
    }
    out = value->get<std::uint64_t>();
}

void FieldReader::number(const char* key, double& out, Need need) {
    const Json* value = find(key, need, "a number");
    if (value == nullptr) {
        return;
    }
    if (!value->is_number()) {
        return fail(key, "a number", value);
    }
    out = value->get<double>();
}

void FieldReader::numbers(const char* key, std::vector<double>& out) {
    const Json* list = array(key);
    if (list == nullptr) {
        return;
    }
    out.clear();
    out.reserve(list->size());
    for (const Json& value : *list) {
        if (!value.is_number()) {
            return fail(key, "numbers", &value);
        }
        out.push_back(value.get<double>());
    }
}

void FieldReader::named_numbers(const char* key, std::map<std::string, double>& out) {
    const Json* value = find(key, Need::required, "an object of numbers");
    if (value == nullptr) {
        return;
    }
    if (!value->is_object()) {
        return fail(key, "an object of numbers", value);
    }
    for (const auto& [name, entry] : value->items()) {
        if (!entry.is_number()) {
            return fail(std::string(key) + "." + name, "a number", &entry);
        }
        out[name] = entry.get<double>();
    }
}

void FieldReader::texts(const char* key, std::vector<std::string>& out, Need need) {
    const Json* list = array(key, need);
    if (list == nullptr) {
        return;
    }
    out.clear();
    for (const Json& value : *list) {
        if (!value.is_string()) {
            return fail(key, "texts", &value);
        }
        out.push_back(value.get<std::string>());
    }
}

void FieldReader::object(const char* key, const std::function<void(FieldReader&)>& read, Need need) {
    const Json* value = find(key, need, "an object");
    if (value == nullptr) {
        return;
    }
    FieldReader inner(*value, what_ + ", " + key);
    if (inner.problem_.empty()) {
        read(inner);
    }
    adopt(inner);
}

void FieldReader::objects(const char* key, const std::function<void(FieldReader&)>& read, Need need) {
    const Json* list = array(key, need);
    if (list == nullptr) {
        return;
    }
    for (std::size_t i = 0; i < list->size() && problem_.empty(); ++i) {
        FieldReader inner((*list)[i], fmt::format("{}, {}[{}]", what_, key, i));
        if (inner.problem_.empty()) {
            read(inner);
        }
        adopt(inner);
    }
}

const Json* FieldReader::array(const char* key, Need need) {
    const Json* value = find(key, need, "a list");
    if (value != nullptr && !value->is_array()) {
        fail(key, "a list", value);
        return nullptr;
    }
    return value;
}

} // namespace quantscope::protocol
