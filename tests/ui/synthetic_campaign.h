// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

/// A campaign as storage would summarize it, for tests of what the window does with one. The numbers are made
/// up and plausible; no test says that they are true.
namespace quantscope::test {

/// fp16, int8, w4a8, w4a4-rtn and w4a4-rot at batch 1 and 8, all done. Run ids are 101 … 110; the baseline is
/// 101, and 102 for batch 8.
storage::CampaignSummary syntheticCampaign();

/// The same campaign after `done` of its ten runs: run `done` is half-way, the later ones are planned.
storage::CampaignSummary syntheticCampaignAfter(int done);

/// The same with five timed rounds a run: what was inside the budget is not known to be.
storage::CampaignSummary fewRounds(storage::CampaignSummary campaign);

storage::HostInfo syntheticHost();

} // namespace quantscope::test
