// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/eval/child_process.h"
#include "engine/eval/isolated_process.h"
#include "engine/eval/problems.h"
#include "engine/eval/python_environment.h"

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope::eval {

/// Where the sandbox's programs are and what the program inside may use.
struct SandboxConfig {
    std::string bwrap = "/usr/bin/bwrap";
    std::string python = "/usr/bin/python3"; ///< any Python 3.8 or newer, also a virtual environment's
    /// What programs may import beside the standard library, if it is among the interpreter's site packages.
    std::vector<std::string> packages = {"numpy"};
    std::size_t address_space_bytes = 512u << 20;
    int cpu_s = 10;
    int threads = 32; ///< beside the main one
    int open_files = 32;
    std::size_t file_bytes = 1u << 20; ///< largest file it may write
    std::size_t tmp_bytes = 16u << 20; ///< all of its /tmp, in memory
    std::size_t tmp_files = 1024;      ///< files and folders in its /tmp
    std::size_t kept_output_bytes = 64u
                                    << 10; ///< the end of what it printed that is kept; the rest is dropped
    std::size_t output_bytes = 256u << 20; ///< what it may print before it is stopped
};

/// What the probe found.
struct SandboxStatus {
    bool available = false;
    std::string message; ///< a sentence: "bubblewrap 0.8.0 ...", or why programs cannot be run safely here
    std::string hint;    ///< what to do; empty when available
};

/// How one program ended.
struct SandboxOutcome {
    bool spawned = false;         ///< bwrap was started
    bool harness_started = false; ///< the interpreter inside was reached
    bool completed = false;       ///< check() returned: the nonce came back
    bool raised = false;          ///< the program ended by an exception, described in `exception`
    /// run_apart() only, not empty: the channel between the two processes has a say in how this ended, and
    /// why. The program is then to be run together with its test.
    std::string undecided;
    bool hit_wall_limit = false;
    bool hit_output_limit = false;
    bool cancelled = false;
    int wait_status = 0;   ///< of bwrap, as waitpid gives it; the program's signal N is exit status 128 + N
    std::string exception; ///< last line of the traceback, and the program's line; untrusted text
    std::string output;    ///< end of stdout and stderr together; untrusted bytes
    double wall_ms = 0.0;
};

/// Runs untrusted Python under bubblewrap: every namespace unshared, no capability, no network, no /proc,
/// only the interpreter and its libraries visible (sandbox_layout.h), an in-memory /tmp from which nothing
/// can be executed (isolated_process.h), a seccomp filter, resource limits set before the interpreter starts.
///
/// What valid programs may count on: the standard library but for hidden modules (harness.h), the site
/// packages of SandboxConfig::packages, `threads` threads, a UNIX, IPv4 or IPv6 socket in an empty network,
/// any output. Hash randomization cannot be switched off under `python3 -I`: a program whose result depends
/// on the order of a set of strings may flip between runs.
///
/// Threat model. The program is hostile code written without knowledge of a run's nonce. The problem file's
/// own code, the kernel, bubblewrap and the interpreter's files are trusted.
///
/// Held by the kernel, however the program is run: files, processes, network, memory, CPU, threads,
/// descriptors, limits, output, signals; no machine code but that of the visible files; a parent that dies
/// (bwrap dies with the thread that started it, so threads that call run() must outlive their calls).
///
/// run_apart(), proof: the nonce is in another process, in another sandbox, which runs the test. It sees the
/// program through plain values only (harness/codec.py): base types as their own methods read them, so that
/// no __eq__ of the program's has a say. A forged pass needs a defect of the kernel, of bubblewrap, or of
/// CPython's handling of integers, strings and containers. What a test does not look at is not proven by it:
/// a program may answer by a table of the values that the test asks for, and may change in place the
/// arguments that it is given.
///
/// run(), a bar: program and test share one interpreter, and the nonce is on its stack. Held by the kernel
/// even so: a pass forged by exit status, SystemExit, printing, or writing to /tmp or to any descriptor. Held
/// by the interpreter's audit hook only (harness/guard.py): raw pointers through modules, interpreters
/// without the hook, code that no compiler made, native modules of other folders, tracing; reading the nonce
/// back. A defect of CPython or a package that can reach memory (numpy can) goes over it, and code that makes
/// its own test meaningless (a value whose __eq__ is always true, a decorator left dangling over `def check`)
/// needs not even that.
///
/// Which of the two counts is decided by the canonical solution (canonical_check.h), and the verdict says so.
/// A program whose values do not go through the channel as they are (an object of a class, a generator) is
/// judged by run() after all, so that no valid program fails for it; a hostile one can choose that way, and
/// its pass is marked as not proven.
class Sandbox {
  public:
    /// Checks the configuration by running a small program with the exact flags. Error: sandbox_unavailable,
    /// saying what is missing and what to do.
    [[nodiscard]] static Expected<Sandbox> open(const SandboxConfig& config = {});

    /// Runs `program` (UTF-8 Python source) for at most `wall_limit`. Blocks; thread-safe. If `cancel_fd` (an
    /// eventfd or pipe, -1: none) becomes readable, the program is killed. Nothing of the sandbox is left
    /// when this returns.
    [[nodiscard]] SandboxOutcome run(std::string_view program, std::chrono::milliseconds wall_limit,
                                     int cancel_fd = -1) const;

    /// Runs prompt and completion in one sandbox and the problem's test in another, each with its own limits:
    /// the test calls the entry point through a channel for plain values (harness/codec.py), so that the mark
    /// of a pass is out of the judged program's reach. As run() otherwise.
    [[nodiscard]] SandboxOutcome run_apart(const Problem& problem, std::string_view completion,
                                           std::chrono::milliseconds wall_limit, int cancel_fd = -1) const;

    [[nodiscard]] const SandboxConfig& config() const { return config_; }
    [[nodiscard]] const PythonEnvironment& python() const { return python_; }
    /// Changes whenever a program could run differently: harness, what is visible, limits, filter,
    /// interpreter.
    [[nodiscard]] std::string identity() const;

  private:
    Sandbox(const SandboxConfig& config, PythonEnvironment python, bool leave_root);
    SandboxConfig config_;
    PythonEnvironment python_;
    Isolation isolation_;
    [[nodiscard]] pid_t start(const std::vector<std::string>& argv, std::string_view input, const Fd& output,
                              const Fd& result, std::span<const int> channel) const;
    [[nodiscard]] SandboxOutcome not_started(int error) const;

    std::vector<std::string> together_; ///< argument vectors of the three harnesses
    std::vector<std::string> judged_;
    std::vector<std::string> checker_;
    std::string seccomp_;
};

/// Sandbox::open() as a status for the worker's hello and the window.
[[nodiscard]] SandboxStatus probe_sandbox(const SandboxConfig& config = {});

} // namespace quantscope::eval
