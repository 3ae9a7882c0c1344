// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/child_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

namespace quantscope::eval {
namespace {

struct SpawnSettings {
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
    SpawnSettings() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }
    ~SpawnSettings() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
};

} // namespace

void Fd::reset() {
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
}

Pipe make_pipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return {};
    return {Fd(ends[0]), Fd(ends[1])};
}

Fd memory_file(const char* name, std::string_view bytes) {
    Fd file(::memfd_create(name, MFD_CLOEXEC));
    while (file && !bytes.empty()) {
        const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return {};
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    if (file)
        ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

pid_t spawn(const std::vector<std::string>& argv, std::span<const int> fds) {
    // Copies above the target numbers first, so that no dup2 overwrites a source that is still needed.
    std::vector<Fd> sources;
    sources.reserve(fds.size());
    for (const int fd : fds) {
        sources.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(fds.size())));
        if (!sources.back())
            return -errno;
    }
    SpawnSettings settings;
    for (std::size_t i = 0; i < sources.size(); ++i)
        posix_spawn_file_actions_adddup2(&settings.actions, sources[i].get(), static_cast<int>(i));
    posix_spawn_file_actions_addclosefrom_np(&settings.actions, static_cast<int>(fds.size()));

    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&settings.attributes, &all);
    posix_spawnattr_setsigmask(&settings.attributes, &none);
    posix_spawnattr_setpgroup(&settings.attributes, 0);
    posix_spawnattr_setflags(&settings.attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (const std::string& argument : argv)
        arguments.push_back(const_cast<char*>(argument.c_str())); // posix_spawn does not write to them
    arguments.push_back(nullptr);
    char* environment[] = {nullptr};
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, argv.front().c_str(), &settings.actions, &settings.attributes,
                                    arguments.data(), environment);
    return error == 0 ? pid : -error;
}

} // namespace quantscope::eval
