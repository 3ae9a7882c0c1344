// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/progress_estimator.h"

#include <algorithm>

namespace quantscope::campaign {

ProgressEstimator::ProgressEstimator(Plan plan, const QList<StepUnits>& units) : plan_(std::move(plan)) {
    for (qsizetype i = 0; i < plan_.steps.size(); ++i) {
        const StepUnits step = i < units.size() ? units[i] : StepUnits{};
        State state;
        state.total = step.total;
        state.done = std::min(step.done, step.total);
        states_ << state;
    }
}

void ProgressEstimator::begin(int step, double now) {
    State& state = states_[step];
    state.carried = state.seconds;
    state.since = now;
}

void ProgressEstimator::advance(int step, int done, double now) {
    State& state = states_[step];
    const int clipped = std::min(done, state.total);
    if (clipped <= state.done) {
        return;
    }
    state.worked += clipped - state.done;
    state.done = clipped;
    state.seconds = state.carried + std::max(0.0, now - state.since);
}

void ProgressEstimator::setTotal(int step, int total) {
    states_[step].total = total;
    states_[step].done = std::min(states_[step].done, total);
}

void ProgressEstimator::close(int step, double now) {
    State& state = states_[step];
    if (state.done == state.total && state.worked > 0) {
        state.seconds = state.carried + std::max(0.0, now - state.since);
    }
    state.done = state.total;
}

int ProgressEstimator::done() const {
    int sum = 0;
    for (const State& state : states_) {
        sum += state.done;
    }
    return sum;
}

int ProgressEstimator::total() const {
    int sum = 0;
    for (const State& state : states_) {
        sum += state.total;
    }
    return sum;
}

std::optional<double> ProgressEstimator::secondsPerUnit(int step) const {
    const Step& wanted = plan_.steps[step];
    if (states_[step].worked > 0) {
        return states_[step].seconds / states_[step].worked;
    }
    for (const bool sameBatch : {true, false}) {
        double seconds = 0.0;
        int worked = 0;
        for (qsizetype i = 0; i < states_.size(); ++i) {
            const Step& other = plan_.steps[i];
            if (other.measure == wanted.measure && (!sameBatch || other.batchSize == wanted.batchSize)) {
                seconds += states_[i].seconds;
                worked += states_[i].worked;
            }
        }
        if (worked > 0) {
            return seconds / worked;
        }
    }
    return std::nullopt;
}

std::optional<double> ProgressEstimator::etaSeconds() const {
    double eta = 0.0;
    for (qsizetype i = 0; i < states_.size(); ++i) {
        const int remaining = states_[i].total - states_[i].done;
        if (remaining <= 0) {
            continue;
        }
        const auto perUnit = secondsPerUnit(static_cast<int>(i));
        if (!perUnit) {
            return std::nullopt;
        }
        eta += remaining * *perUnit;
    }
    return eta;
}

} // namespace quantscope::campaign
