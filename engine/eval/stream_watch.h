// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/child_process.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace quantscope::eval {

/// The streams of running sandboxes: what programs print, of which the end is kept and the rest dropped, and
/// the results of the harnesses, of which the beginning is kept.
class StreamWatch {
  public:
    using Clock = std::chrono::steady_clock;
    enum class End { streams_ended, time_is_up, too_much, cancelled };

    StreamWatch(Fd output, std::vector<Fd> results, std::size_t kept_output);

    /// Drains all streams until they have ended, or the one of `results` at `until`; a negative one waits for
    /// all. `cancel_fd`: -1 for none.
    End run(Clock::time_point deadline, std::size_t output_limit, int cancel_fd, int until = -1);
    /// Goes on until every harness has spoken. bwrap ties the lives of its processes together while it sets
    /// up; killed before that, it could leave one behind.
    void until_started(Clock::time_point deadline);

    [[nodiscard]] const std::string& result(std::size_t index) const { return results_[index].bytes; }
    [[nodiscard]] std::string take_output();

  private:
    struct Result {
        Fd fd;
        std::string bytes{};
    };

    [[nodiscard]] bool ended(int until) const;
    void read_some(int timeout_ms, int cancel_fd);
    std::size_t read_chunk(Fd& fd);

    Fd output_;
    std::vector<Result> results_;
    std::size_t kept_output_;
    std::string output_tail_{};
    std::size_t total_ = 0;
    std::array<char, 65536> chunk_{};
};

} // namespace quantscope::eval
