// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/protocol/messages.h"
#include "storage/values.h"

/// The worker's messages as storage's rows. What is not in the wire's contract (a negative time, an unknown
/// verdict) becomes the nearest honest value: nothing here fails.
namespace quantscope::campaign {

storage::HostInfo hostInfo(const protocol::HelloEvent& hello);
storage::Sample sampleRow(const protocol::SampleEvent& event, storage::Id runId);
QList<storage::LatencySample> latencyRows(const protocol::LatencyEvent& event, storage::Id runId);
QList<storage::Problem> problemRows(const protocol::ProblemsEvent& event);
QMap<QString, double> metricValues(const std::map<std::string, double>& values);

/// The run name on the wire is the run's row id.
std::string wireRun(storage::Id runId);
storage::Id runIdOf(const std::string& wire); ///< 0 when it is none of ours

protocol::Sampling wireSampling(const storage::Sampling& sampling);

} // namespace quantscope::campaign
