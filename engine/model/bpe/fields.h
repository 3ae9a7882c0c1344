// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace quantscope::bpe {

/// One object of a tokenizer.json with its place in it, for messages. Reading a member marks nothing: a
/// component says with only() which members it knows, because one that it does not know may change ids.
class Fields {
  public:
    /// @param file  as messages should call it
    /// @param path  "pre_tokenizer.pretokenizers[1]"; "": the document
    Fields(const nlohmann::json& object, std::string file, std::string path);

    const nlohmann::json* find(std::string_view key) const; ///< null where it is absent or null
    /// The type of a component. Errors: bad_input (no object, no such member).
    Expected<std::string> type() const;
    /// Errors: unsupported, naming the first member that is not among `known`.
    Expected<> only(std::initializer_list<std::string_view> known) const;

    Expected<bool> boolean(std::string_view key, bool absent) const;
    Expected<std::string> string(std::string_view key, std::optional<std::string> absent = {}) const;
    Expected<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max) const;
    /// A member that is an object. Errors: bad_input (absent, another type).
    Expected<Fields> object(std::string_view key) const;
    /// A member that is a list of objects.
    Expected<std::vector<Fields>> objects(std::string_view key) const;

    /// "file: 'path.key': expected ..., found ...".
    tl::unexpected<Error> wrong(std::string_view key, std::string_view expected) const;
    /// As wrong(), of something that the format knows and Quantscope does not.
    tl::unexpected<Error> unsupported(std::string_view key, std::string_view expected,
                                      std::string_view found = {}) const;

    const std::string& file() const { return file_; }
    std::string place(std::string_view key) const;

  private:
    const nlohmann::json* object_;
    std::string file_;
    std::string path_;
};

} // namespace quantscope::bpe
