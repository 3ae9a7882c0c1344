// SPDX-License-Identifier: Apache-2.0
#include "engine/model/json_reader.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace quantscope {

namespace {

using nlohmann::json;

/// First pass over a document: everything that the DOM parser would accept silently or pay for in memory.
class Inspector final : public nlohmann::json_sax<json> {
  public:
    explicit Inspector(const JsonLimits& limits) : limits_(limits) {}

    bool null() override { return count(); }
    bool boolean(bool) override { return count(); }
    bool number_integer(number_integer_t) override { return count(); }
    bool number_unsigned(number_unsigned_t) override { return count(); }
    bool number_float(number_float_t, const string_t&) override { return count(); }
    bool string(string_t&) override { return count(); }
    bool binary(binary_t&) override { return count(); }
    bool start_object(std::size_t) override { return open(); }
    bool start_array(std::size_t) override { return open(); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        if (!keys_.back().insert(name).second) {
            return refuse(fmt::format("the key {} is there twice", describe(name)));
        }
        return count();
    }

    bool parse_error(std::size_t position, const std::string&, const json::exception& error) override {
        // id 406 is the one error that is not about syntax: a number beyond the range of a double.
        problem_ = error.id == 406 ? "a number is out of range" : "it is not valid JSON";
        position_ = position;
        return false;
    }

    const std::string& problem() const { return problem_; }
    std::size_t position() const { return position_; } ///< 1-based byte of a syntax error; 0: unknown

  private:
    bool count() {
        return ++values_ <= limits_.max_values ||
               refuse(fmt::format("it has more than {} values", limits_.max_values));
    }
    bool open() {
        keys_.emplace_back();
        return keys_.size() <= limits_.max_depth
                   ? count()
                   : refuse(fmt::format("it is nested deeper than {} levels", limits_.max_depth));
    }
    bool close() {
        keys_.pop_back();
        return true;
    }
    bool refuse(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    const JsonLimits& limits_;
    std::vector<std::set<std::string>> keys_;
    std::size_t values_ = 0;
    std::string problem_;
    std::size_t position_ = 0;
};

std::string line_and_column(std::string_view text, std::size_t position) {
    const std::string_view before = text.substr(0, std::min(position == 0 ? 0 : position - 1, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t last_newline = before.rfind('\n');
    const std::size_t column =
        last_newline == std::string_view::npos ? before.size() + 1 : before.size() - last_newline;
    return fmt::format("line {}, column {}", line, column);
}

} // namespace

std::string describe(const json& value) {
    constexpr std::size_t longest = 60;
    std::string text;
    if (value.is_structured()) {
        text = value.is_array() ? fmt::format("a list of {} values", value.size())
                                : fmt::format("an object with {} keys", value.size());
    } else {
        text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    }
    if (text.size() > longest) {
        text = text.substr(0, longest) + "…";
    }
    return text;
}

Expected<json> parse_json_object(std::string_view text, std::string_view where, const JsonLimits& limits) {
    const std::string hint = "The file is damaged or incomplete: download it again.";
    Inspector inspector(limits);
    if (!json::sax_parse(text, &inspector)) {
        const std::string place = inspector.position() == 0
                                      ? std::string()
                                      : fmt::format(" ({})", line_and_column(text, inspector.position()));
        return make_error(
            ErrorCode::bad_input,
            fmt::format("{}: expected a JSON object, but {}{}.", where, inspector.problem(), place), hint);
    }
    json document = json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected a JSON object, found {}.", where, describe(document)),
                          hint);
    }
    return document;
}

JsonFields::JsonFields(const json& object, std::string where, std::string prefix)
    : object_(object), where_(std::move(where)), prefix_(std::move(prefix)) {}

const json* JsonFields::find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::has(const char* key) const {
    return find(key) != nullptr;
}

void JsonFields::fail(ErrorCode code, const char* key, std::string_view expected, std::string_view found,
                      std::string hint) {
    if (result_) {
        result_ = make_error(
            code, fmt::format("{}: '{}{}': expected {}, found {}.", where_, prefix_, key, expected, found),
            hint.empty() ? "Correct this key, or download the file again." : std::move(hint));
    }
}

void JsonFields::merge(const JsonFields& other) {
    if (result_) {
        result_ = other.result_;
    }
}

long long JsonFields::integer(const char* key, long long min, long long max) {
    const std::string expected = fmt::format("an integer from {} to {}", min, max);
    const json* value = find(key);
    if (value == nullptr) {
        fail(ErrorCode::bad_input, key, expected, "nothing");
        return min;
    }
    // Beyond int64 the parser keeps an unsigned value, which get<long long>() would wrap.
    const bool fits = value->is_number_unsigned()
                          ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(std::max(max, 0LL))
                          : value->is_number_integer();
    const long long result = fits ? value->get<long long>() : 0;
    if (!fits || result < min || result > max) {
        fail(ErrorCode::bad_input, key, expected, describe(*value));
        return min;
    }
    return result;
}

long long JsonFields::integer_or(const char* key, long long fallback, long long min, long long max) {
    return has(key) ? integer(key, min, max) : fallback;
}

double JsonFields::number(const char* key, double min, double max) {
    const json* value = find(key);
    const bool is_number = value != nullptr && value->is_number();
    const double result = is_number ? value->get<double>() : 0.0;
    if (!is_number || !(result >= min && result <= max)) {
        fail(ErrorCode::bad_input, key, fmt::format("a number from {} to {}", min, max),
             value == nullptr ? "nothing" : describe(*value));
        return min;
    }
    return result;
}

double JsonFields::number_or(const char* key, double fallback, double min, double max) {
    return has(key) ? number(key, min, max) : fallback;
}

bool JsonFields::boolean_or(const char* key, bool fallback) {
    const json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_boolean()) {
        fail(ErrorCode::bad_input, key, "true or false", describe(*value));
        return fallback;
    }
    return value->get<bool>();
}

std::string JsonFields::string_or(const char* key, const std::string& fallback) {
    const json* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_string()) {
        fail(ErrorCode::bad_input, key, "a string", describe(*value));
        return fallback;
    }
    return value->get<std::string>();
}

} // namespace quantscope
