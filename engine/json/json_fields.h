// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/json/json_document.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace quantscope {

/// Reads the typed members of one JSON object and remembers the first thing that is wrong, so that a reader
/// can take many members and check once; what is read after that changes nothing. A member that is null
/// counts as absent. The object must outlive the reader.
class JsonFields {
  public:
    enum class Need { required, optional }; ///< an optional member may be absent, and keeps its value

    static constexpr std::int64_t int_max = std::numeric_limits<int>::max();
    static constexpr const char* file_hint = "Correct this key, or download the file again.";

    /// @param where   what the object is, as messages should call it ("/models/x/config.json")
    /// @param prefix  the object's place in its document, "" or "rope_scaling."
    /// @param hint    what to do about a wrong member
    JsonFields(const nlohmann::json& object, std::string where, std::string prefix = {},
               std::string hint = file_hint);

    /// Present and not null.
    [[nodiscard]] bool has(const char* key) const;

    // What a member holds; where it is wrong or, without a fallback, missing: the minimum or fallback.

    /// An integer in [min, max].
    long long integer(const char* key, long long min, long long max);
    long long integer_or(const char* key, long long fallback, long long min, long long max);
    /// A finite number in [min, max].
    double number(const char* key, double min, double max);
    double number_or(const char* key, double fallback, double min, double max);
    bool boolean_or(const char* key, bool fallback);
    std::string string_or(const char* key, const std::string& fallback);

    // Into a variable, which keeps its value where the member is wrong or missing.

    void text(const char* key, std::string& out, Need need = Need::required);
    void boolean(const char* key, bool& out, Need need = Need::required);
    void integer(const char* key, int& out, std::int64_t low, std::int64_t high, Need need = Need::required);
    void integer64(const char* key, std::int64_t& out, Need need = Need::required);
    void unsigned64(const char* key, std::uint64_t& out, Need need = Need::required);
    void number(const char* key, double& out, Need need = Need::required);
    void numbers(const char* key, std::vector<double>& out, Need need = Need::required);
    void named_numbers(const char* key, std::map<std::string, double>& out);
    void texts(const char* key, std::vector<std::string>& out, Need need = Need::required);
    void text_of(const char* key, std::string& out, std::initializer_list<const char*> allowed,
                 Need need = Need::required);

    /// Calls `read` with a reader of the object in `key`.
    void object(const char* key, const std::function<void(JsonFields&)>& read, Need need = Need::required);
    /// Calls `read` with a reader of each object in the list in `key`.
    void objects(const char* key, const std::function<void(JsonFields&)>& read, Need need = Need::required);
    /// The list in `key`, or nullptr (and an error when it is required).
    const nlohmann::json* array(const char* key, Need need = Need::required);

    /// Records an error at `key` unless there is one already. Without a hint, the reader's.
    void fail(ErrorCode code, const std::string& key, std::string_view expected, std::string_view found,
              std::string hint = {});
    /// A bad_input error; without `found` there was nothing.
    void fail(const std::string& key, std::string_view expected, const nlohmann::json* found = nullptr);
    /// Takes over another reader's error unless there is one already.
    void merge(const JsonFields& other);
    [[nodiscard]] const Expected<>& result() const { return result_; }

  private:
    [[nodiscard]] const nlohmann::json* find(const char* key) const;
    const nlohmann::json* find(const char* key, Need need, const char* expected);

    const nlohmann::json& object_;
    std::string where_;
    std::string prefix_;
    std::string hint_;
    Expected<> result_;
};

} // namespace quantscope
