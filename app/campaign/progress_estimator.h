// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/planner.h"

#include <optional>

namespace quantscope::campaign {

/// How far a campaign is and when it will end. Time is given by the caller, in seconds of any steady clock.
///
/// A step's remaining time is its remaining units times the seconds a unit took: in this step once it has
/// some done, else in other steps of the same measure, those of the same batch size first.
class ProgressEstimator {
  public:
    /// `units` per step of the plan: samples of an eval, rounds of a latency step; `done` are stored already.
    struct StepUnits {
        int total = 0;
        int done = 0;
    };
    ProgressEstimator() = default;
    ProgressEstimator(Plan plan, const QList<StepUnits>& units);

    void begin(int step, double now);
    void advance(int step, int done, double now);
    void setTotal(int step, int total); ///< once the number of problems is known
    void close(int step, double now);   ///< done, failed or skipped: nothing of it remains

    [[nodiscard]] int done() const;
    [[nodiscard]] int total() const;
    /// nullopt until every measure that remains has been seen at work.
    [[nodiscard]] std::optional<double> etaSeconds() const;

  private:
    struct State {
        int total = 0;
        int done = 0;
        int worked = 0;       ///< units done since begin(), without those that were stored before
        double seconds = 0.0; ///< that they took
        double since = 0.0;   ///< begin(), or the last restart
        double carried = 0.0; ///< seconds of earlier spells
    };
    [[nodiscard]] std::optional<double> secondsPerUnit(int step) const;

    Plan plan_;
    QList<State> states_;
};

} // namespace quantscope::campaign
