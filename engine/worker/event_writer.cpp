// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/event_writer.h"

#include "engine/protocol/codec.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>

namespace quantscope::worker {
namespace {

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

} // namespace

void EventWriter::send(protocol::EventBody body) {
    const std::lock_guard lock(mutex_);
    if (broken_) {
        return;
    }
    const std::string line = protocol::encode_event({++seq_, std::move(body)});
    if (record_fd_ >= 0 && !write_all(record_fd_, line)) {
        fmt::print(stderr, "quantscope-worker: the recording ends at event {}: {}.\n", seq_,
                   std::strerror(errno));
        record_fd_ = -1;
    }
    if (!write_all(out_fd_, line)) {
        broken_ = true;
    }
}

} // namespace quantscope::worker
