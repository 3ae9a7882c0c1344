// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/sandbox.h"

#include "engine/eval/child_process.h"
#include "engine/eval/harness.h"
#include "engine/eval/sandbox_layout.h"
#include "engine/eval/seccomp_filter.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quantscope::eval {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int seccomp_fd = 5;
constexpr std::size_t kept_result_bytes = 4096;
constexpr std::chrono::seconds start_grace{10};

std::vector<std::string> sandbox_argv(const SandboxConfig& config, const PythonEnvironment& python,
                                      bool with_seccomp) {
    std::vector<std::string> argv = sandbox_layout(config, python, with_seccomp ? seccomp_fd : -1);
    argv.insert(argv.end(), {python.executable, "-I", "-B", "-S", "-c", together_harness(config.threads)});
    return argv;
}

Isolation isolation_of(const SandboxConfig& config, bool leave_root) {
    const auto both = [](rlim_t value) { return rlimit{value, value}; };
    const auto cpu_s = static_cast<rlim_t>(config.cpu_s);
    return {config.tmp_bytes,
            config.tmp_files,
            {{RLIMIT_AS, both(config.address_space_bytes)},
             // One second between the soft and the hard limit: SIGXCPU tells a timeout from other kills.
             {RLIMIT_CPU, {cpu_s, cpu_s + 1}},
             {RLIMIT_NOFILE, both(static_cast<rlim_t>(config.open_files))},
             {RLIMIT_FSIZE, both(config.file_bytes)},
             {RLIMIT_CORE, both(0)}},
            leave_root};
}

/// Fresh bytes from the kernel; empty on failure, which must end the run: a guessable nonce is no nonce.
std::string make_nonce() {
    std::string nonce(nonce_bytes, '\0');
    return getrandom(nonce.data(), nonce.size(), 0) == nonce_bytes ? nonce : std::string();
}

/// The end of a stream, and how much there was.
struct Tail {
    std::size_t limit;
    std::string bytes{};
    std::size_t total = 0;
    void add(const char* data, std::size_t n) {
        total += n;
        bytes.append(data, n);
        if (bytes.size() > 2 * limit)
            bytes.erase(0, bytes.size() - limit);
    }
    std::string take() {
        if (bytes.size() > limit)
            bytes.erase(0, bytes.size() - limit);
        return std::move(bytes);
    }
};

/// Both streams of a running sandbox, drained until they end, time is up, too much was printed, or the caller
/// cancels.
class Watch {
  public:
    Watch(Fd output, Fd result, std::size_t kept_output)
        : output_(std::move(output)), result_(std::move(result)), output_tail_{kept_output} {}

    void until_end(Clock::time_point deadline, std::size_t output_limit, int cancel_fd,
                   SandboxOutcome& outcome) {
        while (output_ || result_) {
            if (cancelled(cancel_fd)) {
                outcome.cancelled = true;
                return;
            }
            if (output_tail_.total + result_total_ > output_limit) {
                outcome.hit_output_limit = true;
                return;
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
            if (left <= 0) {
                outcome.hit_wall_limit = true;
                return;
            }
            read_some(static_cast<int>(left), cancel_fd);
        }
    }

    /// Goes on until the harness has spoken. bwrap ties the lives of its processes together while it sets up;
    /// killed before that, it could leave one behind.
    void until_started(Clock::time_point deadline) {
        while ((output_ || result_) && result_bytes_.empty() && Clock::now() < deadline)
            read_some(50, -1);
    }

    [[nodiscard]] const std::string& result() const { return result_bytes_; }
    std::string take_output() { return output_tail_.take(); }

  private:
    static bool cancelled(int cancel_fd) {
        pollfd entry{cancel_fd, POLLIN, 0};
        return cancel_fd >= 0 && ::poll(&entry, 1, 0) > 0;
    }

    void read_some(int timeout_ms, int cancel_fd) {
        // poll() skips negative descriptors, so that a stream that has ended needs no special case.
        std::array<pollfd, 3> entries = {
            {{output_.get(), POLLIN, 0}, {result_.get(), POLLIN, 0}, {cancel_fd, POLLIN, 0}}};
        if (::poll(entries.data(), entries.size(), timeout_ms) <= 0)
            return;
        if (entries[0].revents != 0) {
            if (const std::size_t n = read_chunk(output_))
                output_tail_.add(chunk_.data(), n);
        }
        if (entries[1].revents != 0) {
            if (const std::size_t n = read_chunk(result_)) {
                result_total_ += n;
                result_bytes_.append(chunk_.data(), std::min(n, kept_result_bytes - result_bytes_.size()));
            }
        }
    }

    std::size_t read_chunk(Fd& fd) {
        const ssize_t n = ::read(fd.get(), chunk_.data(), chunk_.size());
        if (n > 0)
            return static_cast<std::size_t>(n);
        if (n == 0 || errno != EINTR)
            fd.reset();
        return 0;
    }

    Fd output_;
    Fd result_;
    Tail output_tail_;
    std::string result_bytes_;
    std::size_t result_total_ = 0;
    std::array<char, 65536> chunk_{};
};

void read_result(const std::string& result, const std::string& nonce, SandboxOutcome& outcome) {
    outcome.harness_started = result.starts_with('S');
    outcome.completed =
        result.size() == 1 + nonce.size() && outcome.harness_started && result.ends_with(nonce);
    outcome.raised = !outcome.completed && result.starts_with("SE");
    if (outcome.raised)
        outcome.exception = result.substr(2);
}

} // namespace

Sandbox::Sandbox(const SandboxConfig& config, PythonEnvironment python, bool leave_root)
    : config_(config), python_(std::move(python)), isolation_(isolation_of(config, leave_root)),
      seccomp_(seccomp_filter()) {
    argv_ = sandbox_argv(config_, python_, !seccomp_.empty());
}

std::string Sandbox::identity() const {
    return fmt::format("{}\n{}\n{}\n{} {} {} {} {} {}", python_.identity, fmt::join(argv_, "\n"), seccomp_,
                       config_.address_space_bytes, config_.cpu_s, config_.open_files, config_.file_bytes,
                       config_.tmp_bytes, config_.tmp_files);
}

SandboxOutcome Sandbox::run(std::string_view program, std::chrono::milliseconds wall_limit,
                            int cancel_fd) const {
    SandboxOutcome outcome;
    const auto start = Clock::now();
    const std::string nonce = make_nonce();
    Pipe output = make_pipe();
    Pipe result = make_pipe();
    const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Fd input = memory_file("quantscope-program", nonce + std::string(program));
    Fd filter = memory_file("quantscope-seccomp", seccomp_);
    if (nonce.empty() || !output.read || !result.read || !null || !input || !filter) {
        outcome.output =
            fmt::format("the system has no descriptors or memory left: {}", std::strerror(errno));
        return outcome;
    }
    const std::array<int, 6> fds = {null.get(),  output.write.get(), output.write.get(),
                                    input.get(), result.write.get(), filter.get()};
    const pid_t pid = spawn_isolated(argv_, fds, isolation_);
    output.write.reset();
    result.write.reset();
    input.reset();
    filter.reset();
    if (pid < 0) {
        outcome.output = fmt::format("{} cannot be started in namespaces of its own: {}", config_.bwrap,
                                     std::strerror(-pid));
        return outcome;
    }
    outcome.spawned = true;

    Watch watch(std::move(output.read), std::move(result.read), config_.kept_output_bytes);
    watch.until_end(start + wall_limit, config_.output_bytes, cancel_fd, outcome);
    if (outcome.cancelled || outcome.hit_output_limit || outcome.hit_wall_limit) {
        watch.until_started(Clock::now() + start_grace);
        ::kill(pid, SIGKILL); // its death kills the namespace's init, and that everything inside
    }
    while (::waitpid(pid, &outcome.wait_status, 0) < 0 && errno == EINTR) {
    }
    // The streams end when the last process inside is gone; after a kill that is milliseconds away.
    SandboxOutcome ignored;
    watch.until_end(Clock::now() + std::chrono::seconds(2), SIZE_MAX, -1, ignored);
    read_result(watch.result(), nonce, outcome);
    outcome.output = watch.take_output();
    outcome.wall_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    return outcome;
}

} // namespace quantscope::eval
