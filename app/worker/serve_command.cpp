// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"
#include "engine/worker/serve.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace quantscope::worker_app {
namespace {

Expected<int> open_for_writing(const std::string& file, int flags) {
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    if (fd < 0) {
        return make_error(ErrorCode::io, fmt::format("Cannot write {}: {}.", file, std::strerror(errno)));
    }
    return fd;
}

/// The protocol's own descriptor for what was stdout; stdout itself goes to stderr from here on, so that no
/// library can print into the stream.
Expected<int> take_stdout() {
    const int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        return make_error(ErrorCode::io, fmt::format("Cannot set stdout apart: {}.", std::strerror(errno)));
    }
    return fd;
}

} // namespace

int serve_command(const ServeArguments& arguments) {
    std::signal(SIGPIPE, SIG_IGN); // a client that is gone is seen as a failed write
    if (!arguments.log.empty()) {
        const auto log = open_for_writing(arguments.log, O_APPEND);
        if (!log) {
            return report(log.error());
        }
        dup2(*log, STDERR_FILENO);
    }
    worker::ServeOptions options;
    if (!arguments.record.empty()) {
        const auto record = open_for_writing(arguments.record, O_TRUNC);
        if (!record) {
            return report(record.error());
        }
        options.record_fd = *record;
    }
    const auto out = take_stdout();
    if (!out) {
        return report(out.error());
    }
    options.in_fd = STDIN_FILENO;
    options.out_fd = *out;
    options.on_overdue = [] { std::_Exit(0); }; // sandboxes die with their parent
    const auto served = worker::serve(options);
    return served ? 0 : report(served.error());
}

} // namespace quantscope::worker_app
