// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace quantscope::stats {

/// Exact two-sided McNemar test of paired passes. `lost`: problems passed in the baseline only; `gained`:
/// passed in the other run only. p = min(1, 2 P(X <= min(lost, gained))), X ~ Binomial(lost + gained, 1/2);
/// no mid-p. Without discordant pairs p is 1. Negative counts count as 0.
[[nodiscard]] double mcnemar_exact(int lost, int gained);

} // namespace quantscope::stats
