// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"
#include "engine/worker/serve.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <termios.h>
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

/// Behind `ssh -t` or `srun --pty` the protocol runs through a terminal, which would send requests back, cut
/// them after 4,095 bytes and mix the log into the events. Restores what it changed when it goes.
class TerminalAsPipe {
  public:
    TerminalAsPipe() {
        if (tcgetattr(STDIN_FILENO, &before_) != 0) {
            return; // no terminal
        }
        is_terminal_ = true;
        termios plain = before_;
        plain.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR | IXON);
        plain.c_oflag &= ~static_cast<tcflag_t>(OPOST);
        plain.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN);
        tcsetattr(STDIN_FILENO, TCSANOW, &plain);
    }
    ~TerminalAsPipe() {
        if (is_terminal_) {
            tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        }
    }
    TerminalAsPipe(const TerminalAsPipe&) = delete;
    TerminalAsPipe& operator=(const TerminalAsPipe&) = delete;

    /// The log goes nowhere where it would go to the terminal that carries the events.
    void keep_log_out(int protocol_fd) const {
        struct stat events {};
        struct stat log {};
        if (is_terminal_ && fstat(protocol_fd, &events) == 0 && fstat(STDERR_FILENO, &log) == 0 &&
            S_ISCHR(events.st_mode) && events.st_rdev == log.st_rdev) {
            const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
            dup2(nowhere, STDERR_FILENO);
            dup2(nowhere, STDOUT_FILENO);
            close(nowhere);
        }
    }

  private:
    termios before_{};
    bool is_terminal_ = false;
};

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
    const TerminalAsPipe terminal;
    terminal.keep_log_out(*out);
    if (!arguments.python.empty()) {
        options.sandbox.python = arguments.python;
    }
    options.in_fd = STDIN_FILENO;
    options.out_fd = *out;
    options.on_overdue = [] { std::_Exit(0); }; // sandboxes die with their parent
    const auto served = worker::serve(options);
    return served ? 0 : report(served.error());
}

} // namespace quantscope::worker_app
