// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace quantscope::eval {

/// A compiled classic-BPF program for `bwrap --seccomp` (array of struct sock_filter as bytes); empty on a
/// CPU architecture that it was not written for. Refused:
/// - new processes (fork, vfork, clone without CLONE_THREAD) with EAGAIN, as RLIMIT_NPROC does; threads pass,
///   and clone3 does not exist (ENOSYS), so that the C library falls back to clone, whose flags can be read;
/// - sockets of any family but UNIX, IPv4 and IPv6, which end in the sandbox's own empty network
///   (EAFNOSUPPORT);
/// - executable memory that is not a file's: anonymous mappings and mprotect with PROT_EXEC, memfd_create;
/// - ptrace, foreign memory, mounts, namespaces, and kernel interfaces that no verdict needs (bpf, io_uring,
///   keyrings, userfaultfd, ...) with EPERM.
[[nodiscard]] std::string seccomp_filter();

} // namespace quantscope::eval
