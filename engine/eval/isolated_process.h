// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

/// What bubblewrap cannot do for its programs, done for it before it starts. Linux.
namespace quantscope::eval {

/// Where spawn_isolated() puts an empty file system. The folder exists everywhere, and nothing below it is of
/// use in a sandbox.
inline constexpr const char* scratch_folder = "/sys";

struct Isolation {
    std::size_t scratch_bytes = 0; ///< size of the file system at scratch_folder
    std::size_t scratch_files = 0; ///< files, folders and links that it may hold
    struct Limit {
        __rlimit_resource_t resource;
        rlimit value;
    };
    std::vector<Limit> limits; ///< set before the program starts
    /// Give up the real root user for `nobody` first where there is one to give up: the kernel holds root to
    /// no number of processes, and a sandbox that leaks should not leak root.
    bool leave_root = true;
};

/// As spawn(), in a user and mount namespace of its own, with an in-memory file system at scratch_folder that
/// is mounted `noexec`: a folder bound from there keeps the flag, so that no code written there ever runs.
/// Returns the process id, or -errno.
[[nodiscard]] pid_t spawn_isolated(const std::vector<std::string>& argv, std::span<const int> fds,
                                   const Isolation& isolation);

} // namespace quantscope::eval
