// SPDX-License-Identifier: Apache-2.0
#include "engine/model/safetensors_index.h"

#include "engine/json/json_fields.h"
#include "engine/model/mapped_file.h"

#include <string_view>

#include <fmt/format.h>

namespace quantscope {

namespace {

constexpr std::size_t max_index_bytes = 100'000'000;

bool is_plain_file_name(std::string_view name) {
    return !name.empty() && name != "." && name.find("..") == std::string_view::npos &&
           name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

} // namespace

Expected<SafetensorsIndex> read_safetensors_index(const std::filesystem::path& path) {
    const auto text = read_small_file(path, max_index_bytes);
    if (!text) {
        return tl::unexpected(text.error());
    }
    const auto document = parse_json_object(*text, path.string());
    if (!document) {
        return tl::unexpected(document.error());
    }
    const auto map = document->find("weight_map");
    if (map == document->end() || !map->is_object()) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("{}: 'weight_map': expected an object of tensor and file names, found {}.",
                        path.string(), map == document->end() ? "nothing" : describe(*map)),
            "The file is damaged or incomplete: download it again.");
    }
    SafetensorsIndex index;
    for (const auto& [tensor, file] : map->items()) {
        if (!file.is_string() || !is_plain_file_name(file.get_ref<const std::string&>())) {
            return make_error(
                ErrorCode::bad_input,
                fmt::format("{}: tensor {}: expected the name of a file in the same folder, found {}.",
                            path.string(), describe(tensor), describe(file)),
                "Do not use this folder unless you trust its source.");
        }
        index.emplace(tensor, file.get<std::string>());
    }
    return index;
}

} // namespace quantscope
