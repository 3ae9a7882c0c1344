// SPDX-License-Identifier: Apache-2.0
#include "engine/samples/task_names.h"

#include "engine/json/json_document.h"

#include <algorithm>
#include <fmt/format.h>

namespace quantscope::samples {
namespace {

bool is_number(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

TaskNames::TaskNames(std::vector<std::string> names) : names_(std::move(names)) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const std::string_view name = names_[i];
        index_.emplace(name, i);
        const std::string_view last = name.substr(name.rfind('/') + 1);
        if (!is_number(last))
            continue;
        const auto [entry, fresh] = numbered_.emplace(last, i);
        if (!fresh)
            entry->second = names_.size();
    }
}

std::optional<std::size_t> TaskNames::find(std::string_view task_id) const {
    if (const auto known = index_.find(task_id); known != index_.end())
        return known->second;
    const auto numbered = is_number(task_id) ? numbered_.find(task_id) : numbered_.end();
    if (numbered == numbered_.end() || numbered->second == names_.size())
        return std::nullopt;
    return numbered->second;
}

Expected<std::string> task_id_text(const nlohmann::json& object, const std::string& where) {
    const auto id = object.find("task_id");
    if (id != object.end() && id->is_string() && !id->get_ref<const std::string&>().empty())
        return id->get<std::string>();
    if (id != object.end() && id->is_number_unsigned())
        return id->dump();
    return make_error(ErrorCode::bad_input,
                      fmt::format("{}: 'task_id': expected a string or a whole number, found {}.", where,
                                  id == object.end() ? "nothing" : describe(*id)));
}

} // namespace quantscope::samples
