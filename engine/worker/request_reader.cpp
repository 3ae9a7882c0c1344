// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/request_reader.h"

#include "engine/protocol/codec.h"
#include "engine/protocol/line_splitter.h"

#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <type_traits>
#include <unistd.h>

namespace quantscope::worker {
namespace {

using namespace protocol;
constexpr int kGraceMs = 2000;

Job make_job(LoadRequest request) {
    return {std::move(request), {}, {}};
}
Job make_job(EvalRequest request) {
    std::vector<JobRun> runs{{request.run, request.scheme, {}}};
    return {std::move(request), std::move(runs), {}};
}
Job make_job(LatencyRequest request) {
    std::vector<JobRun> runs;
    for (const LatencyCell& cell : request.cells) {
        runs.push_back({cell.run, cell.scheme, {}});
    }
    return {std::move(request), std::move(runs), {}};
}

} // namespace

RequestReader::RequestReader(int fd, EventWriter& writer, JobQueue& queue, std::function<void()> on_overdue)
    : fd_(fd), wake_fd_(eventfd(0, EFD_CLOEXEC)), writer_(writer), queue_(queue),
      on_overdue_(std::move(on_overdue)), thread_([this] { read_all(); }) {}

RequestReader::~RequestReader() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
    thread_.join();
    close(wake_fd_);
}

bool RequestReader::wait_readable() const {
    std::array<pollfd, 2> wait{{{fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}}};
    while (poll(wait.data(), wait.size(), -1) < 0 && errno == EINTR) {
    }
    return wait[1].revents == 0;
}

void RequestReader::read_all() {
    LineSplitter lines;
    std::array<char, 65536> bytes{};
    while (!shutdown_ && wait_readable()) {
        const ssize_t count = read(fd_, bytes.data(), bytes.size());
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (count <= 0) {
            break;
        }
        lines.feed({bytes.data(), static_cast<std::size_t>(count)});
        while (auto line = lines.next()) {
            if (*line) {
                take_line(**line);
            } else {
                refuse({}, line->error());
            }
        }
    }
    queue_.close();
    wait_for_the_end();
}

/// The main thread stops between two steps; the client must not wait for a long one.
void RequestReader::wait_for_the_end() {
    pollfd wait{wake_fd_, POLLIN, 0};
    const int ended = poll(&wait, 1, kGraceMs);
    if (ended == 0 && on_overdue_) {
        on_overdue_();
    }
}

void RequestReader::refuse(const std::string& line, const Error& error) {
    const RefusedRequest refused = peek_request(line);
    if (refused.name == "cancel" || refused.runs.empty()) {
        writer_.send(ErrorEvent{{}, {}, error, false});
        return;
    }
    for (const std::string& run : refused.runs) {
        writer_.send(ErrorEvent{run, {}, error, false});
        writer_.send(DoneEvent{run, refused.name == "latency" ? "latency" : "eval", "failed"});
    }
}

void RequestReader::take_line(const std::string& line) {
    if (shutdown_ || line.find_first_not_of(" \t") == std::string::npos) {
        return;
    }
    Expected<Request> request = decode_request(line);
    if (!request) {
        return refuse(line, request.error());
    }
    std::visit(
        [this](auto& asked) {
            using T = std::decay_t<decltype(asked)>;
            if constexpr (std::is_same_v<T, PingRequest>) {
                writer_.send(PongEvent{});
            } else if constexpr (std::is_same_v<T, ShutdownRequest>) {
                shutdown_ = true;
            } else if constexpr (std::is_same_v<T, CancelRequest>) {
                for (const DroppedRun& dropped : queue_.cancel(asked.run)) {
                    writer_.send(DoneEvent{dropped.run, dropped.measure, "cancelled"});
                }
            } else {
                queue_.push(make_job(std::move(asked)));
            }
        },
        *request);
}

} // namespace quantscope::worker
