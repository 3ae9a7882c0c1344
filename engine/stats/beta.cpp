// SPDX-License-Identifier: Apache-2.0
#include "engine/stats/beta.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantscope::stats {
namespace {

/// std::lgamma writes a global; summaries are computed on several threads.
double log_gamma(double x) {
    int sign = 0;
    return ::lgamma_r(x, &sign);
}

double log_beta(double a, double b) {
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

/// The continued fraction of DLMF 8.17.22, evaluated forwards by Lentz's method with Thompson and Barnett's
/// guard against zeros. Converges fast for x < (a + 1) / (a + b + 2).
double continued_fraction(double x, double a, double b) {
    constexpr double tiny = 1e-300;
    constexpr int enough = 10000;
    const auto guarded = [](double v) { return std::abs(v) < tiny ? tiny : v; };
    double c = 1.0;
    double d = 1.0 / guarded(1.0 - (a + b) * x / (a + 1.0));
    double value = d;
    for (int m = 1; m < enough; ++m) {
        const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guarded(1.0 + even * d);
        c = guarded(1.0 + even / c);
        value *= c * d;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guarded(1.0 + odd * d);
        c = guarded(1.0 + odd / c);
        const double change = c * d;
        value *= change;
        if (std::abs(change - 1.0) < 1e-15) {
            break;
        }
    }
    return value;
}

} // namespace

double regularized_beta(double x, double a, double b) {
    if (!(a > 0.0) || !(b > 0.0) || std::isnan(x)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    if (x <= 0.0) {
        return 0.0;
    }
    if (x >= 1.0) {
        return 1.0;
    }
    const double front = std::exp(a * std::log(x) + b * std::log1p(-x) - log_beta(a, b));
    if (x < (a + 1.0) / (a + b + 2.0)) {
        return std::min(1.0, front * continued_fraction(x, a, b) / a);
    }
    return std::max(0.0, 1.0 - front * continued_fraction(1.0 - x, b, a) / b);
}

double beta_cdf(double x, double a, double b) {
    if (a <= 0.0) {
        return x < 0.0 ? 0.0 : 1.0;
    }
    if (b <= 0.0) {
        return x < 1.0 ? 0.0 : 1.0;
    }
    return regularized_beta(x, a, b);
}

double beta_density(double x, double a, double b) {
    if (x <= 0.0 || x >= 1.0) {
        const double exponent = x <= 0.0 ? a : b; // of the factor that is 0 there
        return exponent == 1.0 ? std::exp(-log_beta(a, b)) : 0.0;
    }
    return std::exp((a - 1.0) * std::log(x) + (b - 1.0) * std::log1p(-x) - log_beta(a, b));
}

double student_t_p(double t, double degrees) {
    return regularized_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5);
}

double student_t_two_sided(double alpha, double degrees) {
    const double wanted = std::clamp(alpha, 1e-12, 1.0);
    double low = 0.0;
    double high = 1.0;
    while (student_t_p(high, degrees) > wanted) {
        high *= 2.0;
    }
    for (int i = 0; i < 60; ++i) {
        const double middle = 0.5 * (low + high);
        (student_t_p(middle, degrees) > wanted ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

} // namespace quantscope::stats
