// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/sandbox.h"

#include "engine/eval/child_process.h"
#include "engine/eval/harness.h"
#include "engine/eval/sandbox_layout.h"
#include "engine/eval/seccomp_filter.h"
#include "engine/eval/stream_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quantscope::eval {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int seccomp_fd = 5;
constexpr std::chrono::seconds start_grace{10};
/// For a judged program whose test is over to flush what it printed.
constexpr std::chrono::milliseconds end_grace{500};
constexpr int lost_descriptors = -EMFILE;

std::vector<std::string> sandbox_argv(const SandboxConfig& config, const PythonEnvironment& python,
                                      bool with_seccomp, std::string harness) {
    std::vector<std::string> argv = sandbox_layout(config, python, with_seccomp ? seccomp_fd : -1);
    argv.insert(argv.end(), {python.executable, "-I", "-B", "-S", "-c", std::move(harness)});
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

/// As checker.py's _field() reads it.
std::string field(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i < 8; ++i)
        bytes += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i));
    return bytes.append(text);
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

void note_end(StreamWatch::End end, SandboxOutcome& outcome) {
    outcome.cancelled = end == StreamWatch::End::cancelled;
    outcome.hit_output_limit = end == StreamWatch::End::too_much;
    outcome.hit_wall_limit = end == StreamWatch::End::time_is_up;
}

void read_result(std::string_view result, const std::string& nonce, SandboxOutcome& outcome) {
    outcome.harness_started = result.starts_with('S');
    if (!outcome.harness_started)
        return;
    result.remove_prefix(1);
    outcome.completed = result == nonce;
    if (outcome.completed)
        return;
    if (result.starts_with('U')) {
        outcome.undecided = result.substr(1);
        return;
    }
    if (result.starts_with('C')) {
        result.remove_prefix(1);
        outcome.undecided = "a value was sent as one of its base type";
    }
    outcome.raised = result.starts_with('E');
    if (outcome.raised)
        outcome.exception = result.substr(1);
}

} // namespace

Sandbox::Sandbox(const SandboxConfig& config, PythonEnvironment python, bool leave_root)
    : config_(config), python_(std::move(python)), isolation_(isolation_of(config, leave_root)),
      seccomp_(seccomp_filter()) {
    const bool filtered = !seccomp_.empty();
    together_ = sandbox_argv(config_, python_, filtered, together_harness(config.threads));
    judged_ = sandbox_argv(config_, python_, filtered, judged_harness(config.threads));
    checker_ = sandbox_argv(config_, python_, filtered, checker_harness(config.threads));
}

std::string Sandbox::identity() const {
    return fmt::format("{}\n{}\n{}\n{}\n{}\n{} {} {} {} {} {}", python_.identity, fmt::join(together_, "\n"),
                       judged_.back(), checker_.back(), seccomp_, config_.address_space_bytes, config_.cpu_s,
                       config_.open_files, config_.file_bytes, config_.tmp_bytes, config_.tmp_files);
}

pid_t Sandbox::start(const std::vector<std::string>& argv, std::string_view input, const Fd& output,
                     const Fd& result, std::span<const int> channel) const {
    const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const Fd program = memory_file("quantscope-program", input);
    const Fd filter = memory_file("quantscope-seccomp", seccomp_);
    if (!null || !program || !filter || !output || !result)
        return lost_descriptors;
    std::vector<int> fds = {null.get(),    output.get(), output.get(),
                            program.get(), result.get(), filter.get()};
    fds.insert(fds.end(), channel.begin(), channel.end());
    return spawn_isolated(argv, fds, isolation_);
}

SandboxOutcome Sandbox::not_started(int error) const {
    SandboxOutcome outcome;
    outcome.output =
        fmt::format("{} cannot be started in namespaces of its own: {}", config_.bwrap, std::strerror(error));
    return outcome;
}

SandboxOutcome Sandbox::run(std::string_view program, std::chrono::milliseconds wall_limit,
                            int cancel_fd) const {
    const auto begin = Clock::now();
    const std::string nonce = make_nonce();
    Pipe output = make_pipe();
    Pipe result = make_pipe();
    const pid_t pid =
        nonce.empty() ? -EIO : start(together_, nonce + std::string(program), output.write, result.write, {});
    output.write.reset();
    result.write.reset();
    if (pid < 0)
        return not_started(-pid);

    SandboxOutcome outcome;
    outcome.spawned = true;
    std::vector<Fd> results;
    results.push_back(std::move(result.read));
    StreamWatch watch(std::move(output.read), std::move(results), config_.kept_output_bytes);
    note_end(watch.run(begin + wall_limit, config_.output_bytes, cancel_fd), outcome);
    if (outcome.cancelled || outcome.hit_output_limit || outcome.hit_wall_limit) {
        watch.until_started(Clock::now() + start_grace);
        ::kill(pid, SIGKILL); // its death kills the namespace's init, and that everything inside
    }
    outcome.wait_status = wait_for(pid);
    // The streams end when the last process inside is gone; after a kill that is milliseconds away.
    watch.run(Clock::now() + std::chrono::seconds(2), SIZE_MAX, -1);
    read_result(watch.result(0), nonce, outcome);
    outcome.output = watch.take_output();
    outcome.wall_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    return outcome;
}

SandboxOutcome Sandbox::run_apart(const Problem& problem, std::string_view completion,
                                  std::chrono::milliseconds wall_limit, int cancel_fd) const {
    const auto begin = Clock::now();
    const std::string nonce = make_nonce();
    // As in verdict_program(), and the test's lines have the same numbers.
    const std::string program = problem.prompt + std::string(completion) + "\n";
    const auto lines = std::count(program.begin(), program.end(), '\n');
    Pipe output = make_pipe();
    Pipe checked = make_pipe();
    Pipe judged = make_pipe();
    Pipe questions = make_pipe();
    Pipe answers = make_pipe();
    const std::array<int, 2> checker_channel = {answers.read.get(), questions.write.get()};
    const std::array<int, 2> judged_channel = {questions.read.get(), answers.write.get()};
    const bool ready = !nonce.empty() && answers.read && questions.read;
    const pid_t checker = !ready ? lost_descriptors
                                 : start(checker_,
                                         nonce + field(problem.entry_point) +
                                             field(problem.prompt + problem.canonical_solution) +
                                             field(std::to_string(lines)) + field(problem.test),
                                         output.write, checked.write, checker_channel);
    const pid_t subject = checker < 0 ? checker
                                      : start(judged_, problem.entry_point + "\n" + program + "\n",
                                              output.write, judged.write, judged_channel);
    for (Fd* fd : {&output.write, &checked.write, &judged.write, &questions.read, &questions.write,
                   &answers.read, &answers.write})
        fd->reset();
    SandboxOutcome outcome;
    outcome.spawned = true;
    std::vector<Fd> results;
    results.push_back(std::move(checked.read));
    results.push_back(std::move(judged.read));
    StreamWatch watch(std::move(output.read), std::move(results), config_.kept_output_bytes);
    if (subject >= 0)
        note_end(watch.run(begin + wall_limit, config_.output_bytes, cancel_fd, 0), outcome);
    watch.until_started(Clock::now() + start_grace);
    for (const pid_t pid : {checker, subject}) {
        if (pid < 0)
            continue;
        if (pid == subject && !outcome.hit_wall_limit && !outcome.cancelled && !outcome.hit_output_limit)
            watch.run(Clock::now() + end_grace, SIZE_MAX, -1,
                      1); // it ends by itself, having no more questions
        ::kill(pid, SIGKILL);
        const int status = wait_for(pid);
        outcome.wait_status = pid == subject ? status : outcome.wait_status;
    }
    watch.run(Clock::now() + std::chrono::seconds(2), SIZE_MAX, -1);
    if (subject < 0)
        return not_started(-subject);
    read_result(watch.result(0), nonce, outcome);
    const std::string& own = watch.result(1);
    outcome.harness_started = outcome.harness_started && own.starts_with('S');
    // The judged program's own end explains why the checker came to none.
    if (!outcome.completed && own.starts_with("SE")) {
        outcome.raised = true;
        outcome.exception = own.substr(2);
        outcome.undecided.clear();
    }
    outcome.output = watch.take_output();
    outcome.wall_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    return outcome;
}

} // namespace quantscope::eval
