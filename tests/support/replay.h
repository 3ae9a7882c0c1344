// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/protocol/messages.h"

#include <map>
#include <string>
#include <vector>

namespace quantscope::fake {

/// A recorded worker stream, taken apart so that it can answer other requests than those it was recorded
/// with.
struct Recording {
    protocol::HelloEvent hello;
    std::vector<protocol::EventBody> load; ///< phases, errors and `loaded`, in order
    /// Events of each run in order, `done` last; in the order in which the runs began.
    struct Run {
        std::string name;
        std::vector<protocol::EventBody> events;
    };
    std::vector<Run> eval, latency;
};

/// Errors: io, bad_input (anything EventStream refuses).
Expected<Recording> read_recording(const std::string& file);

/// The recorded run for a cell: the one named "<scheme>/b<batch>", else one named "<scheme>/...", else the
/// `position`-th, cyclic.
const Recording::Run* find_run(const std::vector<Recording::Run>& runs, const std::string& scheme,
                               int batch_size, std::size_t position);

/// The run an event belongs to, empty for none, and the same event under another run's name.
std::string run_of(const protocol::EventBody& event);
protocol::EventBody renamed(protocol::EventBody event, const std::string& run);

} // namespace quantscope::fake
