// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace quantscope::protocol {

using Json = nlohmann::json;

/// Strictly typed access to the fields of one JSON object. The first thing that is wrong is kept as a
/// sentence and all later reads do nothing, so a decoder reads field after field and asks status() once.
/// The object must outlive the reader.
class FieldReader {
  public:
    /// `what` names the object in messages: `event "sample"`.
    FieldReader(const Json& object, std::string what);

    enum class Need { required, optional }; ///< an optional field may be absent or null, and keeps its value

    void text(const char* key, std::string& out, Need need = Need::required);
    void boolean(const char* key, bool& out, Need need = Need::required);
    void integer(const char* key, int& out, std::int64_t low, std::int64_t high, Need need = Need::required);
    void integer64(const char* key, std::int64_t& out, Need need = Need::required);
    void unsigned64(const char* key, std::uint64_t& out, Need need = Need::required);
    void number(const char* key, double& out, Need need = Need::required);
    void numbers(const char* key, std::vector<double>& out);
    void named_numbers(const char* key, std::map<std::string, double>& out);
    void texts(const char* key, std::vector<std::string>& out, Need need = Need::required);
    void text_of(const char* key, std::string& out, std::initializer_list<const char*> allowed,
                 Need need = Need::required);

    /// Calls `read` with a reader of the object in `key`.
    void object(const char* key, const std::function<void(FieldReader&)>& read, Need need = Need::required);
    /// Calls `read` with a reader of each object in the array in `key`.
    void objects(const char* key, const std::function<void(FieldReader&)>& read, Need need = Need::required);
    /// The array in `key`, or nullptr (and an error when it is required).
    const Json* array(const char* key, Need need = Need::required);

    /// Notes that `key` should have been `expected`.
    void fail(const std::string& key, const std::string& expected, const Json* found = nullptr);
    [[nodiscard]] Expected<> status() const;

    static constexpr std::int64_t kIntMax = std::numeric_limits<int>::max();

  private:
    const Json* find(const char* key, Need need, const char* expected);
    void adopt(const FieldReader& inner);

    const Json& object_;
    std::string what_;
    std::string problem_; ///< empty: all well
};

} // namespace quantscope::protocol
