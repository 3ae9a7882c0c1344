// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/stats/interval.h"

#include <optional>
#include <span>

namespace quantscope::stats {

enum class PairedTest { exact_mcnemar, paired_t };

/// Two runs' results on the same n problems, and what they say about the difference of pass@1 (run minus
/// baseline). Test and interval are one method, so that they cannot contradict each other: at every level
/// alpha the interval leaves out 0 exactly where p < alpha.
///
/// Where each problem's difference is -1, 0 or 1 (one sample a problem, or samples that agree): the exact
/// McNemar test and the interval that belongs to it, of Fay and Lumbard, "Confidence intervals for difference
/// in proportions for matched pairs compatible with exact McNemar's or sign tests", Statistics in Medicine
/// 40 (2021) 1147-1159. The difference is share * (2 direction - 1), the share of problems that differ times
/// their direction; Clopper and Pearson's confidence distributions of the two are melded. Without a problem
/// that differs nothing tells the directions apart, so all of alpha bounds the share: the interval is
/// +-(1 - alpha^(1/n)), which is also what that method gives on the other side of a single lost problem.
/// Computed over all (lost, gained) at 95 %: the true difference is missed in at most 3.2 % (n = 20) and
/// 4.9 % (n = 164) of cases.
///
/// Else (several samples a problem, passing fractions): Student's t of the problems' differences (Miller
/// 2024, "Adding error bars to evals", arXiv 2411.00640: a problem, not a sample, is what was drawn), with
/// one lost and one gained problem added, as Bonett and Price (2012, Journal of Educational and Behavioral
/// Statistics 37:479-488) do for pairs of proportions, and never narrower than +-(1 - alpha^(1/n)) about
/// its centre: what a problem that was not drawn might do is not zero because those that were agree.
struct PairedDifference {
    int n = 0; ///< problems; at least 1
    int lost = 0;
    int gained = 0; ///< problems whose difference is below, above 0
    double mean = 0.0;
    double sum_of_squares = 0.0; ///< of the differences
    PairedTest test = PairedTest::exact_mcnemar;

    /// Two-sided p value of "no difference".
    [[nodiscard]] double p() const;

    /// Whether p could be below alpha at all, however the problems that differ had fallen: six or more of
    /// them at 0.05. Where it could not, nothing can be claimed falsely, so such a comparison need not be
    /// corrected for (Tarone 1990, "A modified Bonferroni method for discrete data", Biometrics 46:515-522).
    [[nodiscard]] bool can_be_significant(double alpha) const;

    /// Interval of the difference at level 1 - alpha, within -1..1; alpha is clamped to 1e-9..1.
    [[nodiscard]] Interval interval(double alpha) const;
};

/// Element i of both spans belongs to the same problem: 0 or 1, or the passing fraction of its samples.
/// Nothing when the spans are empty or differ in size.
[[nodiscard]] std::optional<PairedDifference> paired_difference(std::span<const double> baseline,
                                                                std::span<const double> other);

} // namespace quantscope::stats
