// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace quantscope::stats {

/// Regularized incomplete beta function I_x(a, b), a and b > 0, x clamped to 0..1 (DLMF 8.17): the
/// distribution function of Beta(a, b). For whole a, b it is a binomial tail: P(Bin(n, x) >= k) =
/// I_x(k, n - k + 1). Absolute error below 1e-12 up to a + b of some ten thousand. NaN for a or b <= 0.
[[nodiscard]] double regularized_beta(double x, double a, double b);

/// P(X <= x) of X ~ Beta(a, b), with the limits that a confidence distribution needs: a = 0 is the point 0,
/// b = 0 the point 1.
[[nodiscard]] double beta_cdf(double x, double a, double b);

/// Density of Beta(a, b) at x in 0..1; a and b > 0.
[[nodiscard]] double beta_density(double x, double a, double b);

/// The t with P(|T| > t) = alpha for Student's T with `degrees` > 0 of freedom; alpha clamped to 1e-12..1.
[[nodiscard]] double student_t_two_sided(double alpha, double degrees);

/// P(|T| > t) for Student's T.
[[nodiscard]] double student_t_p(double t, double degrees);

} // namespace quantscope::stats
