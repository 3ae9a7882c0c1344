// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/isolated_process.h"

#include "engine/eval/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <mutex>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quantscope::eval {
namespace {

constexpr unsigned nobody = 65534;
constexpr std::size_t stack_bytes = 64u << 10;

/// All that the child needs, made before it exists: it shares this process's memory until it becomes bwrap,
/// so that it may do nothing but system calls.
struct Plan {
    std::vector<char*> argv;
    std::vector<int> sources; ///< descriptors, all above the numbers that they become
    const Isolation* isolation = nullptr;
    std::string mount_options;
    int error = 0; ///< the child's answer
};

bool write_file(const char* path, const char* text, std::size_t size) {
    const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool written = ::write(fd, text, size) == static_cast<ssize_t>(size);
    ::close(fd);
    return written;
}

/// "0 ID 1\n": the namespace's root is who we are outside.
bool write_id_map(const char* path, unsigned id) {
    std::array<char, 32> text{};
    const auto end = fmt::format_to_n(text.data(), text.size(), "0 {} 1\n", id);
    return write_file(path, text.data(), end.size);
}

/// System calls, not the C library's functions, which would change every thread of this process.
void leave_root() {
    if (::geteuid() != 0)
        return;
    ::syscall(SYS_setgroups, 0, nullptr);
    if (::syscall(SYS_setresgid, nobody, nobody, nobody) == 0)
        ::syscall(SYS_setresuid, nobody, nobody, nobody);
    ::prctl(PR_SET_DUMPABLE,
            1); // else /proc/self would be root's; this also puts our own process's flag back
}

bool enter_namespaces(const Plan& plan) {
    const unsigned uid = ::geteuid();
    const unsigned gid = ::getegid();
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    constexpr std::string_view deny = "deny";
    write_file("/proc/self/setgroups", deny.data(), deny.size()); // kernels without it need none
    return write_id_map("/proc/self/uid_map", uid) && write_id_map("/proc/self/gid_map", gid) &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", scratch_folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                   plan.mount_options.c_str()) == 0;
}

bool take_descriptors(const Plan& plan) {
    for (std::size_t i = 0; i < plan.sources.size(); ++i) {
        if (::dup2(plan.sources[i], static_cast<int>(i)) < 0)
            return false;
    }
    ::closefrom(static_cast<int>(plan.sources.size()));
    return true;
}

bool set_limits(const Plan& plan) {
    return std::all_of(plan.isolation->limits.begin(), plan.isolation->limits.end(),
                       [](const auto& limit) { return ::setrlimit(limit.resource, &limit.value) == 0; });
}

/// AddressSanitizer would keep the marks of a frame that never returns, on a stack that is given back.
[[gnu::no_sanitize_address]] int become(void* argument) {
    Plan& plan = *static_cast<Plan*>(argument);
    for (int number = 1; number < NSIG; ++number)
        ::signal(number, SIG_DFL);
    ::setpgid(0, 0);
    if (plan.isolation->leave_root)
        leave_root();
    char* environment[] = {nullptr};
    sigset_t none;
    ::sigemptyset(&none);
    if (enter_namespaces(plan) && take_descriptors(plan) && set_limits(plan) &&
        ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0)
        ::execve(plan.argv.front(), plan.argv.data(), environment);
    plan.error = errno;
    ::_exit(127);
}

/// A stack for the child and no signal while it shares our memory.
pid_t start(Plan& plan) {
    void* stack =
        ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    // One child at a time: whether /proc/self may be written is a flag of the memory that all of them share
    // with us, and a child that leaves root takes it from one that has just put it back. clone() returns when
    // the child is bwrap.
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    const pid_t pid =
        ::clone(become, static_cast<char*>(stack) + stack_bytes, CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
    const int error = pid < 0 ? errno : plan.error;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::munmap(stack, stack_bytes);
    if (pid > 0 && error != 0) {
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    return error == 0 ? pid : -error;
}

} // namespace

pid_t spawn_isolated(const std::vector<std::string>& argv, std::span<const int> fds,
                     const Isolation& isolation) {
    Plan plan;
    plan.isolation = &isolation;
    // mode 0777: the folder's owner is the namespace's root, which the sandbox's user need not be.
    plan.mount_options =
        fmt::format("size={},nr_inodes={},mode=0777", isolation.scratch_bytes, isolation.scratch_files);
    for (const std::string& argument : argv)
        plan.argv.push_back(const_cast<char*>(argument.c_str())); // execve does not write to them
    plan.argv.push_back(nullptr);
    // Copies above the target numbers first, so that no dup2 overwrites a source that is still needed.
    std::vector<Fd> copies;
    for (const int fd : fds) {
        copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(fds.size())));
        if (!copies.back())
            return -errno;
        plan.sources.push_back(copies.back().get());
    }
    return start(plan);
}

} // namespace quantscope::eval
