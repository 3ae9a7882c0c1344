// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QMap>

namespace quantscope::analysis {

/// Values of requests by the round that they were timed in. The requests of a round are decoded together and
/// share its steps, so a round, not a request, is what is independent of the others.
using RoundValues = QMap<int, QList<double>>;

/// Milliseconds per output token of one request: (e2e - TTFT) / (n - 1), the mean of its gaps; nullopt for n
/// < 2.
std::optional<double> tpotMs(const storage::LatencySample& request);

/// Percentiles of all values as they are, never of means; their limits by order statistics of the rounds'
/// smallest and largest values.
storage::Percentiles percentilesOf(const RoundValues& values);

/// `valueOf(request)` of every request that has one.
template<class ValueOf>
RoundValues byRound(const QList<storage::LatencySample>& requests, const ValueOf& valueOf) {
    RoundValues values;
    for (const storage::LatencySample& request : requests) {
        if (const std::optional<double> value = valueOf(request)) {
            values[request.round] << *value;
        }
    }
    return values;
}

/// Output tokens of all slots over the time of their rounds, a round lasting as long as its slowest request.
double tokensPerSecond(const QList<storage::LatencySample>& latencies);

/// TTFT, TPOT, gaps, whole requests and throughput of a latency run.
void addLatency(storage::RunSummary& summary, const QList<storage::LatencySample>& latencies);

} // namespace quantscope::analysis
