// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <chrono>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>

/// Whatever a sandbox leaves behind becomes this process's child, where no_children_left() finds it.
inline void adopt_orphans() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/// Whether all children, adopted ones included, end within `patience`: ended ones are collected, and a
/// process that lives on is a leak.
inline bool no_children_left(std::chrono::milliseconds patience = std::chrono::seconds(2)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
        const pid_t ended = ::waitpid(-1, nullptr, WNOHANG);
        if (ended < 0 && errno == ECHILD)
            return true;
        if (ended > 0)
            continue;
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}
