// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/latency_figures.h"

#include "engine/stats/percentile.h"
#include "engine/stats/quantile_limits.h"

#include <algorithm>
#include <vector>

namespace quantscope::analysis {

std::optional<double> tpotMs(const storage::LatencySample& request) {
    if (request.outputTokens < 2) {
        return std::nullopt;
    }
    return (request.e2eMs - request.ttftMs) / (request.outputTokens - 1);
}

storage::Percentiles percentilesOf(const RoundValues& values) {
    std::vector<double> sorted;
    std::vector<double> smallest;
    std::vector<double> largest;
    for (const QList<double>& round : values) {
        if (round.isEmpty()) {
            continue;
        }
        sorted.insert(sorted.end(), round.begin(), round.end());
        const auto [least, most] = std::minmax_element(round.begin(), round.end());
        smallest.push_back(*least);
        largest.push_back(*most);
    }
    if (sorted.empty()) {
        return {};
    }
    for (std::vector<double>* each : {&sorted, &smallest, &largest}) {
        std::sort(each->begin(), each->end());
    }
    const auto at = [&](double percent) {
        return stats::percentile_of_sorted(sorted, percent).value_or(0.0);
    };
    const auto limits = [&](double percent) {
        const stats::QuantileLimits found = stats::quantile_limits(smallest, largest, percent);
        // The interpolated percentile of few values may lie below a limit that is an order statistic; a wider
        // interval is right, too.
        const auto wider = [&](const std::optional<double>& limit, auto&& choose) {
            return limit ? std::optional(choose(*limit, at(percent))) : std::nullopt;
        };
        return storage::QuantileLimits{wider(found.low, [](double a, double b) { return std::min(a, b); }),
                                       wider(found.high, [](double a, double b) { return std::max(a, b); })};
    };
    return {static_cast<int>(sorted.size()),   at(50.0),     at(90.0),     at(99.0),
            static_cast<int>(smallest.size()), limits(50.0), limits(90.0), limits(99.0)};
}

double tokensPerSecond(const QList<storage::LatencySample>& latencies) {
    QMap<int, double> roundMs;
    double tokens = 0.0;
    for (const storage::LatencySample& request : latencies) {
        double& slowest = roundMs[request.round];
        slowest = std::max(slowest, request.e2eMs);
        tokens += request.outputTokens;
    }
    double totalMs = 0.0;
    for (const double ms : std::as_const(roundMs)) {
        totalMs += ms;
    }
    return totalMs > 0.0 ? tokens * 1000.0 / totalMs : 0.0;
}

void addLatency(storage::RunSummary& summary, const QList<storage::LatencySample>& latencies) {
    RoundValues gaps;
    for (const storage::LatencySample& request : latencies) {
        gaps[request.round] << request.itlMs;
    }
    summary.ttftMs = percentilesOf(byRound(
        latencies, [](const storage::LatencySample& request) { return std::optional(request.ttftMs); }));
    summary.e2eMs = percentilesOf(byRound(
        latencies, [](const storage::LatencySample& request) { return std::optional(request.e2eMs); }));
    summary.tpotMs = percentilesOf(byRound(latencies, tpotMs));
    summary.itlMs = percentilesOf(gaps);
    summary.tokensPerSecond = tokensPerSecond(latencies);
}

} // namespace quantscope::analysis
