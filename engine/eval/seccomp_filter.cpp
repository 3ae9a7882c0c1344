// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/seccomp_filter.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

#if defined(__x86_64__)
constexpr std::uint32_t refused_with_eagain[] = {SYS_fork, SYS_vfork};
#endif

constexpr std::uint32_t refused_with_eperm[] = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_execveat,
    SYS_memfd_create,
    SYS_personality,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
};

constexpr std::uint32_t socket_families[] = {AF_UNIX, AF_INET, AF_INET6};

/// Classic BPF, top to bottom. Arguments are looked at in their lower halves: the flags and families
/// that matter are there, and the kernel ignores the upper halves of these arguments.
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
    void give_if_any_bit(std::uint32_t bits, std::uint32_t action) {
        add(BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
        give(action);
    }
    void give_if_no_bit(std::uint32_t bits, std::uint32_t action) {
        add(BPF_JMP | BPF_JSET | BPF_K, 1, 0, bits);
        give(action);
    }
    void load_argument(int number) {
        load(offsetof(seccomp_data, args) + static_cast<std::size_t>(number) * sizeof(std::uint64_t));
    }
    /// Skips what `body` adds for every call but `call`; the accumulator holds the call's number before and
    /// after.
    template<class Body>
    void for_call(std::uint32_t call, const Body& body) {
        const std::size_t jump = code_.size();
        add(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, call);
        body();
        load(offsetof(seccomp_data, nr));
        code_[jump].jf = static_cast<std::uint8_t>(code_.size() - jump - 1);
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

constexpr std::uint32_t refuse(int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

void add_process_rules(Program& program) {
    // Its flags are behind a pointer; the C library then uses clone, whose flags are an argument.
    program.give_if_equal(SYS_clone3, refuse(ENOSYS));
    program.for_call(SYS_clone, [&] {
        program.load_argument(0);
        program.give_if_no_bit(CLONE_THREAD, refuse(EAGAIN));
    });
#if defined(__x86_64__)
    for (const std::uint32_t call : refused_with_eagain)
        program.give_if_equal(call, refuse(EAGAIN));
#endif
}

void add_socket_rules(Program& program) {
    for (const std::uint32_t call : {SYS_socket, SYS_socketpair}) {
        program.for_call(call, [&] {
            program.load_argument(0);
            for (const std::uint32_t family : socket_families)
                program.give_if_equal(family, SECCOMP_RET_ALLOW);
            program.give(refuse(EAFNOSUPPORT));
        });
    }
}

/// Machine code comes from files only, and no file system of the sandbox is both writable and executable.
void add_memory_rules(Program& program) {
    program.for_call(SYS_mmap, [&] {
        program.load_argument(2);
        program.give_if_no_bit(PROT_EXEC, SECCOMP_RET_ALLOW);
        program.load_argument(3);
        program.give_if_any_bit(MAP_ANONYMOUS, refuse(EPERM));
    });
    for (const std::uint32_t call : {SYS_mprotect, SYS_pkey_mprotect}) {
        program.for_call(call, [&] {
            program.load_argument(2);
            program.give_if_any_bit(PROT_EXEC, refuse(EPERM));
        });
    }
}

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
    add_process_rules(program);
    add_socket_rules(program);
    add_memory_rules(program);
    for (const std::uint32_t call : refused_with_eperm)
        program.give_if_equal(call, refuse(EPERM));
    program.give(SECCOMP_RET_ALLOW);
    return program.bytes();
}
#else
std::string seccomp_filter() {
    return {};
}
#endif

} // namespace quantscope::eval
