// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/resources.h"

#include <cstdlib>
#include <fmt/format.h>

namespace quantscope::worker {
namespace fs = std::filesystem;
namespace {

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

Expected<fs::path> shipped(const char* name) {
    const fs::path path = resource_folder() / "demo" / name;
    if (is_there(path)) {
        return path;
    }
    return make_error(ErrorCode::io, fmt::format("The demo's {} was not found.", path.string()),
                      "Set QUANTSCOPE_RESOURCES to the folder that holds demo/.");
}

} // namespace

fs::path resource_folder() {
    if (const char* chosen = std::getenv("QUANTSCOPE_RESOURCES"); chosen != nullptr && *chosen != '\0') {
        return chosen;
    }
    std::error_code failed;
    const fs::path executable = fs::read_symlink("/proc/self/exe", failed);
    return (failed ? fs::path() : executable.parent_path().parent_path()) / "share" / "quantscope";
}

Expected<fs::path> resolve_model(const std::string& model) {
    return model == "demo" ? shipped("model") : fs::path(model);
}

Expected<fs::path> resolve_problems(const std::string& problems) {
    return problems == "demo" ? shipped("problems.jsonl") : fs::path(problems);
}

} // namespace quantscope::worker
