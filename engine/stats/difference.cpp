// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/difference.h"

#include <fmt/format.h>

namespace quantscope::stats {

Difference judge_difference(Interval interval, double margin, double corrected_p, double alpha) {
    if (corrected_p < alpha && interval.low > 0.0 && interval.high >= interval.low)
        return Difference::better;
    if (corrected_p < alpha && interval.high < 0.0 && interval.low <= interval.high)
        return Difference::worse;
    if (interval.low >= -margin && interval.high <= margin && interval.low <= interval.high)
        return Difference::equivalent;
    return Difference::not_distinguishable;
}

std::string verdict_sentence(Interval interval, double margin, double corrected_p, double alpha) {
    switch (judge_difference(interval, margin, corrected_p, alpha)) {
    case Difference::better: return "better";
    case Difference::worse: return "worse";
    case Difference::equivalent: {
        const std::string points = fmt::format("{:.3g}", 100.0 * margin);
        return fmt::format("equivalent within the margin of {} {}", points,
                           points == "1" ? "point" : "points");
    }
    case Difference::not_distinguishable: break;
    }
    return "not distinguishable on these problems";
}

} // namespace quantscope::stats
