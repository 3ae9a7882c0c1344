// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace quantscope {

/// Bounds on a document's structure, so that a hostile one cannot exhaust memory or hide a key behind
/// another.
struct JsonLimits {
    std::size_t max_depth = 8;
    std::size_t max_values = 4'000'000;
};

/// Parses untrusted JSON whose top level must be an object. Duplicate keys are refused, because readers
/// disagree about which one counts.
/// @param where  what the text is, as messages should call it ("/models/x/config.json")
/// Errors: bad_input, naming `where` with line and column.
Expected<nlohmann::json> parse_json_object(std::string_view text, std::string_view where,
                                           const JsonLimits& limits = {});

/// Reads the typed members of one JSON object and remembers the first thing that is wrong, so that a reader
/// can take many members and check once.
class JsonFields {
  public:
    /// @param prefix  the object's place in its document, "" or "rope_scaling."
    JsonFields(const nlohmann::json& object, std::string where, std::string prefix = {});

    /// Present and not null.
    bool has(const char* key) const;
    /// An integer in [min, max]; a missing or null key is an error.
    long long integer(const char* key, long long min, long long max);
    /// As integer(), but a missing or null key gives `fallback`, unchecked.
    long long integer_or(const char* key, long long fallback, long long min, long long max);
    /// A finite number in [min, max].
    double number(const char* key, double min, double max);
    double number_or(const char* key, double fallback, double min, double max);
    bool boolean_or(const char* key, bool fallback);
    std::string string_or(const char* key, const std::string& fallback);

    /// Records an error at `key` unless there is one already. Without a hint, the key is what is to be
    /// corrected.
    void fail(ErrorCode code, const char* key, std::string_view expected, std::string_view found,
              std::string hint = {});
    /// Takes over another reader's error unless there is one already.
    void merge(const JsonFields& other);
    const Expected<>& result() const { return result_; }

  private:
    const nlohmann::json* find(const char* key) const;

    const nlohmann::json& object_;
    std::string where_;
    std::string prefix_;
    Expected<> result_;
};

/// A value as a message shows it: shortened, and never invalid UTF-8.
std::string describe(const nlohmann::json& value);

} // namespace quantscope
