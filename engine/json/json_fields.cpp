// SPDX-License-Identifier: Apache-2.0
#include "engine/json/json_fields.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace quantscope {
namespace {

using nlohmann::json;

/// Whether the value is a whole number within int64. Beyond it the parser keeps an unsigned value, which
/// get<int64>() would wrap.
bool fits_int64(const json& value) {
    return value.is_number_unsigned()
               ? value.get<std::uint64_t>() <=
                     static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
               : value.is_number_integer();
}

/// Bounds as a person says them: what stands for "no bound" is not printed.
std::string number_between(double min, double max) {
    constexpr double endless = 1e300;
    if (max >= endless && min <= -endless)
        return "a finite number";
    if (max >= endless)
        return fmt::format("a finite number of at least {}", min);
    return fmt::format("a number from {} to {}", min, max);
}

std::string integer_between(long long min, long long max) {
    if (min == std::numeric_limits<int>::min())
        return "an integer";
    if (max == std::numeric_limits<long long>::max())
        return fmt::format("an integer of at least {}", min);
    return fmt::format("an integer from {} to {}", min, max);
}

} // namespace

JsonFields::JsonFields(const json& object, std::string where, std::string prefix, std::string hint)
    : object_(object), where_(std::move(where)), prefix_(std::move(prefix)), hint_(std::move(hint)) {
    if (!object_.is_object()) {
        const std::string place = prefix_.empty() ? "" : ": '" + prefix_.substr(0, prefix_.size() - 1) + "'";
        result_ = make_error(
            ErrorCode::bad_input,
            fmt::format("{}{}: expected an object, found {}.", where_, place, describe(object_)), hint_);
    }
}

const json* JsonFields::find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const json* JsonFields::find(const char* key, Need need, const char* expected) {
    const json* value = result_ ? find(key) : nullptr;
    if (value == nullptr && need == Need::required)
        fail(key, expected);
    return value;
}

bool JsonFields::has(const char* key) const {
    return find(key) != nullptr;
}

void JsonFields::fail(ErrorCode code, const std::string& key, std::string_view expected,
                      std::string_view found, std::string hint) {
    if (result_) {
        result_ = make_error(
            code, fmt::format("{}: '{}{}': expected {}, found {}.", where_, prefix_, key, expected, found),
            hint.empty() ? hint_ : std::move(hint));
    }
}

void JsonFields::fail(const std::string& key, std::string_view expected, const json* found) {
    fail(ErrorCode::bad_input, key, expected, found == nullptr ? "nothing" : describe(*found));
}

void JsonFields::merge(const JsonFields& other) {
    if (result_)
        result_ = other.result_;
}

long long JsonFields::integer(const char* key, long long min, long long max) {
    const std::string expected = integer_between(min, max);
    const json* value = find(key, Need::required, expected.c_str());
    if (value == nullptr)
        return min;
    const bool fits = fits_int64(*value);
    const long long result = fits ? value->get<long long>() : 0;
    if (!fits || result < min || result > max) {
        fail(key, expected, value);
        return min;
    }
    return result;
}

long long JsonFields::integer_or(const char* key, long long fallback, long long min, long long max) {
    return has(key) ? integer(key, min, max) : fallback;
}

double JsonFields::number(const char* key, double min, double max) {
    const std::string expected = number_between(min, max);
    const json* value = find(key, Need::required, expected.c_str());
    if (value == nullptr)
        return min;
    const double result = value->is_number() ? value->get<double>() : 0.0;
    if (!value->is_number() || !(result >= min && result <= max)) {
        fail(key, expected, value);
        return min;
    }
    return result;
}

double JsonFields::number_or(const char* key, double fallback, double min, double max) {
    return has(key) ? number(key, min, max) : fallback;
}

bool JsonFields::boolean_or(const char* key, bool fallback) {
    boolean(key, fallback, Need::optional);
    return fallback;
}

std::string JsonFields::string_or(const char* key, const std::string& fallback) {
    std::string value = fallback;
    text(key, value, Need::optional);
    return value;
}

void JsonFields::text(const char* key, std::string& out, Need need) {
    const json* value = find(key, need, "a string");
    if (value == nullptr)
        return;
    if (!value->is_string())
        return fail(key, "a string", value);
    out = value->get_ref<const std::string&>();
}

void JsonFields::text_of(const char* key, std::string& out, std::initializer_list<const char*> allowed,
                         Need need) {
    const std::string expected = fmt::format("one of {}", fmt::join(allowed, ", "));
    const json* value = find(key, need, expected.c_str());
    if (value == nullptr)
        return;
    if (!value->is_string() || std::find(allowed.begin(), allowed.end(), *value) == allowed.end())
        return fail(key, expected, value);
    out = value->get_ref<const std::string&>();
}

void JsonFields::boolean(const char* key, bool& out, Need need) {
    const json* value = find(key, need, "true or false");
    if (value == nullptr)
        return;
    if (!value->is_boolean())
        return fail(key, "true or false", value);
    out = value->get<bool>();
}

void JsonFields::integer64(const char* key, std::int64_t& out, Need need) {
    const json* value = find(key, need, "an integer");
    if (value == nullptr)
        return;
    if (!fits_int64(*value))
        return fail(key, "an integer", value);
    out = value->get<std::int64_t>();
}

void JsonFields::integer(const char* key, int& out, std::int64_t low, std::int64_t high, Need need) {
    if (need == Need::required || has(key)) {
        const auto value = static_cast<int>(integer(key, low, high));
        out = result_ ? value : out;
    }
}

void JsonFields::unsigned64(const char* key, std::uint64_t& out, Need need) {
    const json* value = find(key, need, "an integer of at least 0");
    if (value == nullptr)
        return;
    const bool negative =
        value->is_number_integer() && !value->is_number_unsigned() && value->get<std::int64_t>() < 0;
    if (!value->is_number_integer() || negative)
        return fail(key, "an integer of at least 0", value);
    out = value->get<std::uint64_t>();
}

void JsonFields::number(const char* key, double& out, Need need) {
    const json* value = find(key, need, "a number");
    if (value == nullptr)
        return;
    if (!value->is_number())
        return fail(key, "a number", value);
    out = value->get<double>();
}

void JsonFields::numbers(const char* key, std::vector<double>& out, Need need) {
    const json* list = array(key, need);
    if (list == nullptr)
        return;
    out.clear();
    out.reserve(list->size());
    for (const json& value : *list) {
        if (!value.is_number())
            return fail(key, "numbers", &value);
        out.push_back(value.get<double>());
    }
}

void JsonFields::named_numbers(const char* key, std::map<std::string, double>& out) {
    const json* value = find(key, Need::required, "an object of numbers");
    if (value == nullptr)
        return;
    if (!value->is_object())
        return fail(key, "an object of numbers", value);
    for (const auto& [name, entry] : value->items()) {
        if (!entry.is_number())
            return fail(std::string(key) + "." + name, "a number", &entry);
        out[name] = entry.get<double>();
    }
}

void JsonFields::texts(const char* key, std::vector<std::string>& out, Need need) {
    const json* list = array(key, need);
    if (list == nullptr)
        return;
    out.clear();
    for (const json& value : *list) {
        if (!value.is_string())
            return fail(key, "strings", &value);
        out.push_back(value.get<std::string>());
    }
}

void JsonFields::object(const char* key, const std::function<void(JsonFields&)>& read, Need need) {
    const json* value = find(key, need, "an object");
    if (value == nullptr)
        return;
    JsonFields inner(*value, where_, prefix_ + key + ".", hint_);
    if (inner.result_)
        read(inner);
    merge(inner);
}

void JsonFields::objects(const char* key, const std::function<void(JsonFields&)>& read, Need need) {
    const json* list = array(key, need);
    if (list == nullptr)
        return;
    for (std::size_t i = 0; i < list->size() && result_; ++i) {
        JsonFields inner((*list)[i], where_, fmt::format("{}{}[{}].", prefix_, key, i), hint_);
        if (inner.result_)
            read(inner);
        merge(inner);
    }
}

const json* JsonFields::array(const char* key, Need need) {
    const json* value = find(key, need, "a list");
    if (value != nullptr && !value->is_array()) {
        fail(key, "a list", value);
        return nullptr;
    }
    return value;
}

} // namespace quantscope
