// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

namespace quantscope::analysis {

/// Names of the metrics that carry a scheme's precision, as the worker's hello told it.
inline constexpr auto weightBitsMetric = "weight_bits";
inline constexpr auto activationBitsMetric = "activation_bits";

/// Samples that ended because a number was not finite: the worker's metric, absent where there are none.
inline constexpr auto nonfiniteSamplesMetric = "nonfinite_samples";

/// The two runs whose comparison answers the campaign's question, as indices into CampaignSummary::runs.
struct HeadlinePair {
    int subject = 0;
    int reference = 0;
    friend bool operator==(const HeadlinePair&, const HeadlinePair&) = default;
};

/// At the smallest batch size that has two runs with data: the best of the schemes with the fewest bits
/// (where there are pass@1 figures, the one with the highest, else the fastest) against the 8-bit scheme, or
/// against the baseline where there is none. Runs with samples that ended in numbers that are not finite are
/// left out. nullopt: there are no two runs to compare yet.
std::optional<HeadlinePair> headlinePair(const storage::CampaignSummary& summary);

/// The answer in words. `comparison` is that of the pair, unset while the two have no problem in common.
/// Never says that nothing is lost: a small difference is "not distinguishable" or "equivalent within" a
/// margin.
QString headline(const storage::CampaignSummary& summary, const std::optional<HeadlinePair>& pair,
                 const std::optional<storage::Comparison>& comparison);

} // namespace quantscope::analysis
