// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

/// Starting a program with exactly the descriptors that it should have. Linux.
namespace quantscope::eval {

/// An owned file descriptor, -1 when none.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset();

  private:
    int fd_ = -1;
};

struct Pipe {
    Fd read;
    Fd write;
};

/// A close-on-exec pipe; both ends empty on failure.
[[nodiscard]] Pipe make_pipe();
/// An anonymous in-memory file holding `bytes`, positioned at its start; empty on failure.
[[nodiscard]] Fd memory_file(const char* name, std::string_view bytes);

/// Starts argv[0] with an empty environment, default signals, its own process group and no descriptor but
/// 0..n-1, which become copies of `fds`. Uses vfork semantics: the cost does not grow with this process's
/// memory. Returns the process id, or -errno.
[[nodiscard]] pid_t spawn(const std::vector<std::string>& argv, std::span<const int> fds);

} // namespace quantscope::eval
