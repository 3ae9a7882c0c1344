// SPDX-License-Identifier: Apache-2.0
#include "engine/model/model_folder.h"

#include "engine/model/mapped_file.h"

#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view cache_prefix = "models--";
constexpr std::size_t max_ref_bytes = 4096;

fs::path normal(const fs::path& path) {
    const fs::path whole = fs::absolute(path).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
}

bool is_cached_repository(const fs::path& folder) {
    return folder.filename().string().starts_with(cache_prefix);
}

std::vector<fs::path> snapshots_of(const fs::path& repository) {
    std::vector<fs::path> found;
    std::error_code failed;
    for (auto it = fs::directory_iterator(repository / "snapshots", failed);
         !failed && it != fs::directory_iterator(); it.increment(failed)) {
        found.push_back(it->path());
    }
    return found;
}

} // namespace

Expected<fs::path> model_folder(const fs::path& given) {
    const fs::path folder = normal(given);
    std::error_code ignored;
    if (!is_cached_repository(folder) || !fs::is_directory(folder / "snapshots", ignored)) {
        return given;
    }
    std::string hash = read_small_file(folder / "refs" / "main", max_ref_bytes).value_or("");
    hash.erase(hash.find_last_not_of(" \r\n") + 1);
    const fs::path named = folder / "snapshots" / hash;
    if (!hash.empty() && hash.find('/') == std::string::npos && hash != ".." &&
        fs::is_directory(named, ignored)) {
        return named;
    }
    const std::vector<fs::path> snapshots = snapshots_of(folder);
    if (snapshots.size() == 1) {
        return snapshots.front();
    }
    return make_error(ErrorCode::bad_input,
                      fmt::format("{}: expected a snapshot that refs/main names, found {} snapshots and none "
                                  "of that name.",
                                  folder.string(), snapshots.size()),
                      "Choose one of the folders in snapshots/, or download the model again.");
}

std::string model_name(const fs::path& folder) {
    const fs::path whole = normal(folder);
    const fs::path repository =
        whole.parent_path().filename() == "snapshots" ? whole.parent_path().parent_path() : whole;
    if (!is_cached_repository(repository)) {
        return whole.filename().string();
    }
    const std::string name = repository.filename().string().substr(cache_prefix.size());
    const std::size_t dashes = name.find("--");
    return dashes == std::string::npos
               ? name
               : fmt::format("{}/{}", name.substr(0, dashes), name.substr(dashes + 2));
}

} // namespace quantscope
