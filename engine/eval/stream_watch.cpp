// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/stream_watch.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>

namespace quantscope::eval {
namespace {

constexpr std::size_t kept_result_bytes = 4096;

bool readable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    return fd >= 0 && ::poll(&entry, 1, 0) > 0;
}

} // namespace

StreamWatch::StreamWatch(Fd output, std::vector<Fd> results, std::size_t kept_output)
    : output_(std::move(output)), kept_output_(kept_output) {
    for (Fd& fd : results)
        results_.push_back({std::move(fd)});
}

bool StreamWatch::ended(int until) const {
    if (until >= 0)
        return !results_[static_cast<std::size_t>(until)].fd;
    return !output_ && std::none_of(results_.begin(), results_.end(),
                                    [](const Result& result) { return static_cast<bool>(result.fd); });
}

StreamWatch::End StreamWatch::run(Clock::time_point deadline, std::size_t output_limit, int cancel_fd,
                                  int until) {
    while (!ended(until)) {
        if (readable(cancel_fd))
            return End::cancelled;
        if (total_ > output_limit)
            return End::too_much;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0)
            return End::time_is_up;
        read_some(static_cast<int>(left), cancel_fd);
    }
    return End::streams_ended;
}

void StreamWatch::until_started(Clock::time_point deadline) {
    const auto silent = [](const Result& result) { return result.fd && result.bytes.empty(); };
    while (std::any_of(results_.begin(), results_.end(), silent) && Clock::now() < deadline)
        read_some(50, -1);
}

std::string StreamWatch::take_output() {
    if (output_tail_.size() > kept_output_)
        output_tail_.erase(0, output_tail_.size() - kept_output_);
    return std::move(output_tail_);
}

void StreamWatch::read_some(int timeout_ms, int cancel_fd) {
    // poll() skips negative descriptors, so that a stream that has ended needs no special case.
    std::vector<pollfd> entries = {{output_.get(), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    for (const Result& result : results_)
        entries.push_back({result.fd.get(), POLLIN, 0});
    if (::poll(entries.data(), entries.size(), timeout_ms) <= 0)
        return;
    if (entries[0].revents != 0) {
        output_tail_.append(chunk_.data(), read_chunk(output_));
        if (output_tail_.size() > 2 * kept_output_)
            output_tail_.erase(0, output_tail_.size() - kept_output_);
    }
    for (std::size_t i = 0; i < results_.size(); ++i) {
        if (entries[i + 2].revents != 0) {
            const std::size_t n = read_chunk(results_[i].fd);
            results_[i].bytes.append(chunk_.data(),
                                     std::min(n, kept_result_bytes - results_[i].bytes.size()));
        }
    }
}

std::size_t StreamWatch::read_chunk(Fd& fd) {
    const ssize_t n = ::read(fd.get(), chunk_.data(), chunk_.size());
    if (n > 0) {
        total_ += static_cast<std::size_t>(n);
        return static_cast<std::size_t>(n);
    }
    if (n == 0 || errno != EINTR)
        fd.reset();
    return 0;
}

} // namespace quantscope::eval
