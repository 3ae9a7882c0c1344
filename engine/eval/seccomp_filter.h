// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace quantscope::eval {

/// A compiled classic-BPF program for `bwrap --seccomp` (array of struct sock_filter as bytes); empty on a
/// CPU architecture that it was not written for. It refuses new processes and threads (fork, vfork, clone,
/// clone3) with EAGAIN, as RLIMIT_NPROC does: the kernel does not apply that limit to processes of the real
/// root user, so that without this filter a fork bomb would run free wherever the engine runs as root.
/// ptrace, foreign memory access and kernel interfaces that no verdict needs (bpf, io_uring, keyrings,
/// userfaultfd, ...) are refused with EPERM.
[[nodiscard]] std::string seccomp_filter();

} // namespace quantscope::eval
