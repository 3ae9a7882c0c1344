// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <string>

/// The values that a campaign's settings may have: for the command line, the window, the planner, what the
/// database keeps and the worker.
namespace quantscope::limits {

struct WholeRange {
    int low;
    int high;

    [[nodiscard]] constexpr bool contains(long long value) const { return value >= low && value <= high; }
    /// "a whole number from 1 to 1000"
    [[nodiscard]] std::string words() const {
        return high == std::numeric_limits<int>::max()
                   ? "a whole number of at least " + std::to_string(low)
                   : "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    }
};

struct RealRange {
    double low;
    double high;
    bool low_is_excluded;
    const char* allowed;

    /// Written so that NaN is outside.
    [[nodiscard]] constexpr bool contains(double value) const {
        return (low_is_excluded ? value > low : value >= low) && value <= high;
    }
    [[nodiscard]] std::string words() const { return allowed; }
};

inline constexpr int most_tokens = 1 << 20;

inline constexpr WholeRange batch_size{1, 4096};
inline constexpr WholeRange problem_limit{0, std::numeric_limits<int>::max()}; ///< 0: all
inline constexpr WholeRange samples_per_problem{1, 1000};
inline constexpr WholeRange max_new_tokens{1, most_tokens};
inline constexpr RealRange temperature{0.0, 10.0, false, "a number from 0 (greedy) to 10"};
inline constexpr RealRange top_p{0.0, 1.0, true, "a number above 0, at most 1"};
inline constexpr WholeRange latency_prompt_tokens{1, most_tokens};
inline constexpr WholeRange latency_output_tokens{2, most_tokens}; ///< one token has no gap to time
inline constexpr WholeRange latency_requests{1, 100000};
inline constexpr RealRange budget_ms{0.0, 1e6, true, "a number of milliseconds above 0, at most 1000000"};
inline constexpr WholeRange budget_tokens{1, most_tokens};

} // namespace quantscope::limits
