// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/seccomp_filter.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <vector>

namespace quantscope::eval {

#if defined(__x86_64__) || defined(__aarch64__)
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native_arch = AUDIT_ARCH_X86_64;
#else
constexpr std::uint32_t native_arch = AUDIT_ARCH_AARCH64;
#endif

constexpr std::uint32_t refused_with_eagain[] = {
    SYS_clone,
    SYS_clone3,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
#endif
};

constexpr std::uint32_t refused_with_eperm[] = {
    SYS_ptrace,          SYS_process_vm_readv, SYS_process_vm_writev, SYS_bpf,
    SYS_perf_event_open, SYS_userfaultfd,      SYS_io_uring_setup,    SYS_keyctl,
    SYS_add_key,         SYS_request_key,      SYS_unshare,           SYS_setns,
    SYS_mount,           SYS_pidfd_getfd,      SYS_open_by_handle_at,
};

class Program {
  public:
    void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)); }
    void give(std::uint32_t action) { add(BPF_RET | BPF_K, 0, 0, action); }
    void give_if_equal(std::uint32_t value, std::uint32_t action) {
        add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
        give(action);
    }
    void give_if_not_equal(std::uint32_t value, std::uint32_t action) {
        add(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value);
        give(action);
    }
    void give_if_at_least(std::uint32_t value, std::uint32_t action) {
        add(BPF_JMP | BPF_JGE | BPF_K, 0, 1, value);
        give(action);
    }
    [[nodiscard]] std::string bytes() const {
        return {reinterpret_cast<const char*>(code_.data()), code_.size() * sizeof(sock_filter)};
    }

  private:
    void add(std::uint32_t op, std::uint8_t if_true, std::uint8_t if_false, std::uint32_t operand) {
        code_.push_back({static_cast<std::uint16_t>(op), if_true, if_false, operand});
    }
    std::vector<sock_filter> code_;
};

} // namespace

std::string seccomp_filter() {
    Program program;
    program.load(offsetof(seccomp_data, arch));
    program.give_if_not_equal(native_arch, SECCOMP_RET_KILL_PROCESS);
    program.load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
    program.give_if_at_least(0x40000000U,
                             SECCOMP_RET_KILL_PROCESS); // the x32 numbering would bypass the list
#endif
    for (const std::uint32_t call : refused_with_eagain)
        program.give_if_equal(call, SECCOMP_RET_ERRNO | EAGAIN);
    for (const std::uint32_t call : refused_with_eperm)
        program.give_if_equal(call, SECCOMP_RET_ERRNO | EPERM);
    program.give(SECCOMP_RET_ALLOW);
    return program.bytes();
}
#else
std::string seccomp_filter() {
    return {};
}
#endif

} // namespace quantscope::eval
