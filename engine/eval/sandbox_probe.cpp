// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/sandbox.h"

#include <array>
#include <fmt/format.h>
#include <unistd.h>

namespace quantscope::eval {
namespace {

constexpr const char* userns_hint = "Allow unprivileged user namespaces (sysctl "
                                    "kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0; on "
                                    "Ubuntu 24.04 also kernel.apparmor_restrict_unprivileged_userns=0), or, "
                                    "inside a container, start it with "
                                    "--security-opt seccomp=unconfined. Until then completions are kept "
                                    "unscored and can be scored elsewhere with "
                                    "`quantscope score`.";

/// Wide enough for a machine that is busy with generation when the worker starts.
constexpr std::chrono::seconds probe_limit{20};

std::string last_line(const std::string& text) {
    const std::size_t end = text.find_last_not_of("\r\n \t");
    if (end == std::string::npos)
        return "no message";
    const std::size_t newline = text.rfind('\n', end);
    const std::size_t start = newline == std::string::npos ? 0 : newline + 1;
    return text.substr(start, end + 1 - start);
}

} // namespace

Expected<Sandbox> Sandbox::open(const SandboxConfig& config) {
    const std::array<std::array<const char*, 3>, 2> programs = {
        {{config.bwrap.c_str(), "bubblewrap", "bubblewrap"}, {config.python.c_str(), "Python 3", "python3"}}};
    for (const auto& [path, what, package] : programs) {
        if (::access(path, X_OK) != 0) {
            return make_error(
                ErrorCode::sandbox_unavailable,
                fmt::format("{} was not found at {}, so programs cannot be run safely", what, path),
                fmt::format("Install it (Debian, Ubuntu: apt-get install {}).", package));
        }
    }
    auto python = inspect_python(config.python, config.packages);
    if (!python)
        return tl::unexpected(python.error());
    SandboxOutcome outcome;
    for (const bool leave_root : {true, false}) {
        // Not every interpreter can be read by `nobody`: one in root's home cannot.
        Sandbox sandbox(config, *python, leave_root);
        outcome = sandbox.run("assert [1 + 1] == [2]\n", probe_limit);
        if (outcome.completed)
            return sandbox;
        if (::geteuid() != 0)
            break;
    }
    if (outcome.harness_started || outcome.hit_wall_limit) {
        return make_error(
            ErrorCode::sandbox_unavailable,
            fmt::format("the sandbox started, but its trial program did not finish: {}",
                        outcome.raised ? outcome.exception : last_line(outcome.output)),
            fmt::format("Run `{} -I -S -c 'print(1)'` to see whether Python works here.", config.python));
    }
    return make_error(ErrorCode::sandbox_unavailable,
                      fmt::format("bubblewrap cannot make a sandbox here: {}", last_line(outcome.output)),
                      userns_hint);
}

SandboxStatus probe_sandbox(const SandboxConfig& config) {
    const auto sandbox = Sandbox::open(config);
    if (!sandbox)
        return {false, sandbox.error().message, sandbox.error().hint};
    return {true, "programs run under bubblewrap, without network, files or processes of this machine", {}};
}

} // namespace quantscope::eval
