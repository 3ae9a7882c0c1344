// SPDX-License-Identifier: Apache-2.0
#include "engine/json/json_document.h"

#include "engine/json/python_json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace quantscope {
namespace {

using nlohmann::json;

/// Builds the document and refuses on the way what nlohmann's own builder would accept silently or pay for in
/// memory.
class DocumentBuilder final : public nlohmann::json_sax<json> {
  public:
    explicit DocumentBuilder(const JsonLimits& limits) : limits_(limits) {}

    bool null() override { return place(nullptr) != nullptr; }
    bool boolean(bool value) override { return place(value) != nullptr; }
    bool number_integer(number_integer_t value) override { return place(value) != nullptr; }
    bool number_unsigned(number_unsigned_t value) override { return place(value) != nullptr; }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        return place(value) != nullptr;
    }
    bool string(string_t& text) override { return place(std::move(text)) != nullptr; }
    bool binary(binary_t& bytes) override { return place(std::move(bytes)) != nullptr; }
    bool start_object(std::size_t /*size*/) override { return open(json::object()); }
    bool start_array(std::size_t /*size*/) override { return open(json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        const auto [entry, fresh] = open_.back()->emplace(name, nullptr);
        if (!fresh && limits_.dialect == JsonDialect::standard)
            return refuse(fmt::format("the key {} is there twice", describe(name)));
        member_ = &*entry;
        return count();
    }

    bool parse_error(std::size_t position, const std::string& /*token*/,
                     const json::exception& error) override {
        // id 406 is the one error that is not about syntax: a number beyond the range of a double.
        problem_ = error.id == 406 ? "a number is out of range" : "it is not valid JSON";
        position_ = position;
        return false;
    }

    json take() { return std::move(root_); }
    const std::string& problem() const { return problem_; }
    std::size_t position() const { return position_; } ///< 1-based byte of a syntax error; 0: unknown

  private:
    bool count() {
        return ++values_ <= limits_.max_values ||
               refuse(fmt::format("it has more than {} values", limits_.max_values));
    }
    json* place(json value) {
        if (!count())
            return nullptr;
        json* target = open_.empty() ? &root_ : member_;
        if (!open_.empty() && open_.back()->is_array())
            target = &open_.back()->get_ref<json::array_t&>().emplace_back();
        *target = std::move(value);
        return target;
    }
    bool open(json container) {
        if (open_.size() >= limits_.max_depth)
            return refuse(fmt::format("it is nested deeper than {} levels", limits_.max_depth));
        json* placed = place(std::move(container));
        if (placed != nullptr)
            open_.push_back(placed);
        return placed != nullptr;
    }
    bool close() {
        open_.pop_back();
        return true;
    }
    bool refuse(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    const JsonLimits& limits_;
    json root_;
    std::vector<json*> open_; ///< containers that have not ended; none of them moves before it does
    json* member_ = nullptr;  ///< where the value of the key just read goes
    std::size_t values_ = 0;
    std::string problem_;
    std::size_t position_ = 0;
};

std::string place_of(std::string_view text, std::size_t position) {
    const std::string_view before = text.substr(0, std::min(position == 0 ? 0 : position - 1, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t last_newline = before.rfind('\n');
    const std::size_t column =
        last_newline == std::string_view::npos ? before.size() + 1 : before.size() - last_newline;
    return text.find('\n') == std::string_view::npos ? fmt::format("column {}", column)
                                                     : fmt::format("line {}, column {}", line, column);
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

Expected<json> parse_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
    PlainJson plain;
    if (limits.dialect == JsonDialect::python)
        plain = plain_json(text);
    DocumentBuilder builder(limits);
    if (!json::sax_parse(plain.text ? std::string_view(*plain.text) : text, &builder)) {
        const std::size_t position = plain.original_position(builder.position());
        const std::string place =
            position == 0 ? std::string() : fmt::format(" ({})", place_of(text, position));
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected JSON, but {}{}.", where, builder.problem(), place),
                          limits.hint);
    }
    return builder.take();
}

Expected<json> parse_json_object(std::string_view text, std::string_view where, const JsonLimits& limits) {
    auto document = parse_json(text, where, limits);
    if (document && !document->is_object()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected a JSON object, found {}.", where, describe(*document)),
                          limits.hint);
    }
    return document;
}

} // namespace quantscope
