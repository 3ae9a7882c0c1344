// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/verdict.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <sys/wait.h>

namespace quantscope::eval {
namespace {

constexpr std::size_t detail_bytes = 600;

/// Length of the well-formed UTF-8 character at the start of `text` (RFC 3629), 0 if there is none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80)
        return 1;
    const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0 || text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80)
            return 0;
    }
    const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool surrogate = first == 0xED && byte(1) >= 0xA0;
    const bool beyond_unicode = first == 0xF4 && byte(1) >= 0x90;
    return overlong || surrogate || beyond_unicode ? 0 : length;
}

std::string one_line(std::string_view text) {
    std::string line = clean_text(text, detail_bytes);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

std::string last_line(std::string_view text) {
    const std::size_t end = text.find_last_not_of("\r\n\t ");
    if (end == std::string_view::npos)
        return {};
    text = text.substr(0, end + 1);
    const std::size_t newline = text.rfind('\n');
    return one_line(newline == std::string_view::npos ? text : text.substr(newline + 1));
}

/// The end of `bytes`, cleaned, in at most `max_bytes`: replacing bytes can make text longer.
std::string clean_end(std::string_view bytes, std::size_t max_bytes) {
    std::string text = clean_text(bytes, 3 * max_bytes);
    std::size_t start = text.size() > max_bytes ? text.size() - max_bytes : 0;
    while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80)
        ++start; // inside a character
    return text.substr(start);
}

int exit_status(const SandboxOutcome& outcome) {
    return WIFEXITED(outcome.wait_status) ? WEXITSTATUS(outcome.wait_status)
                                          : 128 + WTERMSIG(outcome.wait_status);
}

std::string describe_silent_end(const SandboxOutcome& outcome) {
    const int status = exit_status(outcome);
    std::string how = fmt::format("exit status {}", status);
    if (status > 128 && status < 128 + NSIG) {
        const char* name = ::sigabbrev_np(status - 128);
        how = fmt::format("killed by signal {} (SIG{})", status - 128, name != nullptr ? name : "?");
    }
    const std::string last = last_line(outcome.output);
    return fmt::format("ended without finishing check(): {}{}{}", how,
                       last.empty() ? "" : "; last output: ", last);
}

/// The limit of ours that an exception tells of, or nothing. The text is the program's and may lie; the
/// verdict does not depend on it.
std::string limit_behind(std::string_view exception, const SandboxConfig& config) {
    const auto says = [&](std::string_view text) { return exception.find(text) != std::string_view::npos; };
    if (says("MemoryError"))
        return fmt::format("{} MiB of memory", config.address_space_bytes >> 20);
    if (says("[Errno 27] File too large"))
        return fmt::format("{} MiB a file", config.file_bytes >> 20);
    if (says("[Errno 28] No space left on device"))
        return fmt::format("{} MiB and {} files in /tmp", config.tmp_bytes >> 20, config.tmp_files);
    if (says("[Errno 24] Too many open files"))
        return fmt::format("{} open files", config.open_files);
    if (says("can't start new thread"))
        return fmt::format("{} threads", config.threads);
    if (says("BlockingIOError: [Errno 11]"))
        return "no new processes";
    return {};
}

std::string with_limit(std::string detail, const std::string& limit) {
    return limit.empty() ? detail : fmt::format("{}; limit of the sandbox: {}", detail, limit);
}

} // namespace

const char* to_string(VerdictKind kind) {
    switch (kind) {
    case VerdictKind::passed: return "passed";
    case VerdictKind::failed: return "failed";
    case VerdictKind::timed_out: return "timed_out";
    case VerdictKind::error: return "error";
    case VerdictKind::unscored: return "unscored";
    }
    return "unscored";
}

const char* to_string(Judging judging) {
    switch (judging) {
    case Judging::together: return "together";
    case Judging::apart: return "apart";
    }
    return "together";
}

std::optional<Judging> judging_of(std::string_view word) {
    for (const Judging judging : {Judging::together, Judging::apart}) {
        if (word == to_string(judging))
            return judging;
    }
    return std::nullopt;
}

std::string unjudged_detail(const ProblemCheck& check) {
    return fmt::format("cannot be judged here, as the canonical solution does not pass: {}", check.reason);
}

std::string unproven_detail(const std::string& reason) {
    return one_line("passed, not proven: ran in one interpreter with its test" +
                    (reason.empty() ? std::string() : ", as " + reason));
}

Verdict judge(const SandboxOutcome& outcome, const SandboxConfig& config,
              std::chrono::milliseconds wall_limit) {
    Verdict verdict;
    verdict.attempts = 1;
    verdict.wall_ms = outcome.wall_ms;
    verdict.output = clean_end(outcome.output, config.kept_output_bytes);
    const auto is = [&verdict](VerdictKind kind, std::string detail) {
        verdict.kind = kind;
        verdict.detail = std::move(detail);
        return verdict;
    };
    if (outcome.completed)
        return is(VerdictKind::passed, {});
    if (outcome.raised)
        return is(VerdictKind::failed,
                  with_limit(one_line(outcome.exception), limit_behind(outcome.exception, config)));
    if (outcome.cancelled)
        return is(VerdictKind::unscored, "cancelled");
    if (outcome.hit_output_limit)
        return is(VerdictKind::error, with_limit("stopped while printing",
                                                 fmt::format("{} MiB of output", config.output_bytes >> 20)));
    if (outcome.hit_wall_limit) {
        const double seconds = std::chrono::duration<double>(wall_limit).count();
        return is(VerdictKind::timed_out,
                  with_limit("still running", fmt::format("{:.3g} s of wall time", seconds)));
    }
    if (!outcome.harness_started)
        return is(VerdictKind::unscored,
                  fmt::format("the sandbox did not start: {}", last_line(outcome.output)));
    if (exit_status(outcome) == 128 + SIGXCPU)
        return is(VerdictKind::timed_out,
                  with_limit("still running", fmt::format("{} s of CPU time", config.cpu_s)));
    if (exit_status(outcome) == 128 + SIGXFSZ)
        return is(VerdictKind::error,
                  with_limit("stopped while writing", fmt::format("{} MiB a file", config.file_bytes >> 20)));
    return is(VerdictKind::error, describe_silent_end(outcome));
}

std::string clean_text(std::string_view bytes, std::size_t max_bytes) {
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    std::string text;
    while (!bytes.empty()) {
        const std::size_t length = utf8_length(bytes);
        const bool control = length == 1 &&
                             (static_cast<unsigned char>(bytes[0]) < ' ' || bytes[0] == '\x7f') &&
                             bytes[0] != '\n' && bytes[0] != '\t';
        const std::string_view piece = length == 0 || control ? replacement : bytes.substr(0, length);
        if (text.size() + piece.size() > max_bytes)
            break;
        text += piece;
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return text;
}

} // namespace quantscope::eval
