// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/paired_difference.h"

#include "engine/stats/beta.h"
#include "engine/stats/mcnemar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace quantscope::stats {
namespace {

constexpr int nodes = 48;

struct Quadrature {
    std::array<double, nodes> at;     ///< in -1..1
    std::array<double, nodes> weight; ///< of sum 2
};

/// Gauss and Legendre's nodes: zeros of P_n by Newton's method from the usual cosine guess.
Quadrature gauss_legendre() {
    Quadrature rule{};
    for (int i = 0; i < nodes; ++i) {
        double x = std::cos(std::numbers::pi * (i + 0.75) / (nodes + 0.5));
        double slope = 1.0;
        for (int step = 0; step < 8; ++step) {
            double before = 1.0;
            double value = x;
            for (int k = 2; k <= nodes; ++k) {
                const double next = ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k;
                before = value;
                value = next;
            }
            slope = nodes * (x * value - before) / (x * x - 1.0);
            x -= value / slope;
        }
        rule.at[i] = x;
        rule.weight[i] = 2.0 / ((1.0 - x * x) * slope * slope);
    }
    return rule;
}

/// The integral of the density of Beta(a, b) times `factor` over from..1; b = 0 is the point 1.
template<class Factor>
double mean_above(double from, double a, double b, const Factor& factor) {
    if (b <= 0.0) {
        return from <= 1.0 ? factor(1.0) : 0.0;
    }
    static const Quadrature rule = gauss_legendre();
    // Where the density is: ten standard deviations about the mean hold all but far less than 1e-12.
    const double mean = a / (a + b);
    const double reach = 10.0 * std::sqrt(mean * (1.0 - mean) / (a + b + 1.0)) + 20.0 / (a + b);
    const double low = std::max(from, mean - reach);
    const double high = std::min(1.0, mean + reach);
    if (low >= high) {
        return 0.0;
    }
    const double half = 0.5 * (high - low);
    double sum = 0.0;
    for (int i = 0; i < nodes; ++i) {
        const double share = low + half * (rule.at[i] + 1.0);
        sum += rule.weight[i] * beta_density(share, a, b) * factor(share);
    }
    return half * sum;
}

/// P(share * (2 direction - 1) <= t) under the lower confidence distributions of Fay and Lumbard: direction ~
/// Beta(gained, lost + 1); a share of the differing problems that makes the product small, hence of the upper
/// distribution Beta(m + 1, n - m) where the direction is a loss and of the lower, Beta(m, n - m + 1), where
/// it is a gain. m > 0.
double melded_cdf(double t, int n, int lost, int gained) {
    const int m = lost + gained;
    const auto direction_below = [&](double share) {
        return beta_cdf(0.5 * (1.0 + t / share), gained, lost + 1);
    };
    if (t < 0.0) {
        return mean_above(-t, m + 1, n - m, direction_below);
    }
    return 1.0 - mean_above(t, m, n - m + 1, [&](double share) { return 1.0 - direction_below(share); });
}

/// The lower limit at one-sided level `tail`.
double melded_lower(int n, int lost, int gained, double tail) {
    double low = -1.0;
    double high = 1.0;
    for (int i = 0; i < 40; ++i) {
        const double middle = 0.5 * (low + high);
        (melded_cdf(middle, n, lost, gained) < tail ? low : high) = middle;
    }
    return low; // outwards, so that rounding never leaves out what belongs inside
}

/// No problem differs: shares above this would have shown one with a chance above 1 - alpha.
double unseen_share(double alpha, int n) {
    return 1.0 - std::pow(alpha, 1.0 / n);
}

struct Centre {
    double mean;
    double standard_error;
    double degrees;
};

/// Mean and standard error with one lost and one gained problem more.
Centre with_pseudo_problems(const PairedDifference& difference) {
    const double n = difference.n + 2.0;
    const double mean = difference.mean * difference.n / n;
    const double squares = difference.sum_of_squares + 2.0 - n * mean * mean;
    return {mean, std::sqrt(std::max(0.0, squares) / (n - 1.0) / n), n - 1.0};
}

} // namespace

double PairedDifference::p() const {
    if (test == PairedTest::exact_mcnemar) {
        return mcnemar_exact(lost, gained);
    }
    const Centre centre = with_pseudo_problems(*this);
    const double by_t = student_t_p(centre.mean / centre.standard_error, centre.degrees);
    const double by_share = std::pow(1.0 - std::abs(centre.mean), n);
    return std::max(by_t, by_share);
}

bool PairedDifference::can_be_significant(double alpha) const {
    return test != PairedTest::exact_mcnemar || mcnemar_exact(lost + gained, 0) < alpha;
}

Interval PairedDifference::interval(double alpha) const {
    const double level = std::clamp(alpha, 1e-9, 1.0);
    if (test == PairedTest::exact_mcnemar) {
        if (lost + gained == 0) {
            const double share = unseen_share(level, n);
            return {-share, share};
        }
        return {melded_lower(n, lost, gained, level / 2.0), -melded_lower(n, gained, lost, level / 2.0)};
    }
    const Centre centre = with_pseudo_problems(*this);
    const double half =
        std::max(student_t_two_sided(level, centre.degrees) * centre.standard_error, unseen_share(level, n));
    return {std::max(-1.0, centre.mean - half), std::min(1.0, centre.mean + half)};
}

std::optional<PairedDifference> paired_difference(std::span<const double> baseline,
                                                  std::span<const double> other) {
    if (baseline.empty() || baseline.size() != other.size()) {
        return std::nullopt;
    }
    PairedDifference result;
    result.n = static_cast<int>(baseline.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < baseline.size(); ++i) {
        const double difference = other[i] - baseline[i];
        result.lost += difference < 0.0 ? 1 : 0;
        result.gained += difference > 0.0 ? 1 : 0;
        sum += difference;
        result.sum_of_squares += difference * difference;
        if (difference != 0.0 && std::abs(difference) != 1.0) {
            result.test = PairedTest::paired_t;
        }
    }
    result.mean = sum / result.n;
    return result;
}

} // namespace quantscope::stats
