// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

namespace quantscope::samples {

/// The task ids of a problem file, in its order, and what samples files call them.
class TaskNames {
  public:
    explicit TaskNames(std::vector<std::string> names);
    TaskNames(const TaskNames&) = delete; // the maps look into the names
    TaskNames& operator=(const TaskNames&) = delete;

    [[nodiscard]] std::size_t size() const { return names_.size(); }
    [[nodiscard]] const std::string& name(std::size_t index) const { return names_[index]; }

    /// The index of a task_id as it stands in a file: the id itself, or a number that is the last part of
    /// exactly one id (0 for "HumanEval/0").
    [[nodiscard]] std::optional<std::size_t> find(std::string_view task_id) const;

  private:
    std::vector<std::string> names_;
    std::unordered_map<std::string_view, std::size_t> index_; ///< views into names_
    std::unordered_map<std::string_view, std::size_t>
        numbered_; ///< last part of an id; size() where ambiguous
};

/// The text of a task_id that is a string or a whole number; an error says what was found. `where` starts it.
[[nodiscard]] Expected<std::string> task_id_text(const nlohmann::json& object, const std::string& where);

} // namespace quantscope::samples
