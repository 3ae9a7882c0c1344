// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/difference.h"

namespace quantscope::stats {

Difference judge_difference(Interval interval, double margin) {
    if (interval.low > 0.0 && interval.high >= interval.low)
        return Difference::better;
    if (interval.high < 0.0 && interval.low <= interval.high)
        return Difference::worse;
    if (interval.low >= -margin && interval.high <= margin && interval.low <= interval.high)
        return Difference::equivalent;
    return Difference::not_distinguishable;
}

} // namespace quantscope::stats
